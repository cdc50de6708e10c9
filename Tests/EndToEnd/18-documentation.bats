# What the documents say of the repository: where their links lead, which tests the faults name, and which target may
# import what.

load support

# report_none LINES: fails if there are any, and shows them.
report_none() {
  if [[ -n $1 ]]; then
    echo "$1" >&2
    return 1
  fi
}

documents() { find "$REPOSITORY" -name '*.md' -not -path '*/.build*' -printf '%P\n'; }

@test "every link in the documents leads to a file" {
  local document links target broken=
  links=0
  while read -r document; do
    while read -r target; do
      links=$((links + 1))
      if [[ ! -e $REPOSITORY/$(dirname "$document")/$target ]]; then broken+="$document: $target"$'\n'; fi
    done < <(grep -oP '\]\(\K(?!https?:)[^)#]+' "$REPOSITORY/$document")
  done < <(documents)
  ((links > 30))
  report_none "$broken"
}

# A row names a suite, and the words that its tests begin with or hold: `42-disk-faults`: a DEL that fails …
@test "every test that docs/faults.md names is there" {
  python3 "$HELPERS/named_tests.py" "$REPOSITORY/docs/faults.md" "$REPOSITORY/Tests"
}

# may_import TARGET: the modules in the third column of ARCHITECTURE.md's table of targets.
may_import() {
  sed -n '/^## Targets/,/^## /p' "$REPOSITORY/ARCHITECTURE.md" |
    awk -F ' *[|] *' -v target="\`$1\`" '$2 == target { gsub(",", ""); gsub(" ", "\n", $4); print $4 }' | sort
}

# What the compiler cannot keep: the whole node is held by main alone, and unsafe code stays in one target.
@test "nobody holds the node, and only KVLinux is exempt from strict memory safety" {
  report_none "$(grep -rnE ': Node\b|\(node: |as Node' "$REPOSITORY/Sources/KVServer" || true)"
  report_none "$(grep -rnwE 'unsafe|import (C[A-Z]\w*|Glibc)' "$REPOSITORY/Sources" --include='*.swift' | grep -v '/KVLinux/' || true)"
}

@test "the targets import what ARCHITECTURE.md allows them, and nothing else" {
  local target modules wrong=
  for target in kvnode kvctl KVServer KVStore KVWire KVCluster KVDialect KVLinux KVCore KVHTTP; do
    modules=$(grep -rhoP '^[@\w ]*import (\w+ )?\K\w+' "$REPOSITORY/Sources/$target" | sort -u)
    wrong+=$(comm -23 <(echo "$modules") <(may_import "$target") | sed "/./s/^/$target imports /")
  done
  report_none "$wrong"
}
