import KVCluster
import KVCore

/// How a layout is written for people.
enum LayoutText {
  private static let header = ["HOST", "MEMBER", "WEIGHT", "ZONE", "SHARE", "ADDRESS"]

  static func text(_ report: LayoutReport) -> String {
    var text = ""
    if let layout = report.layout {
      text += "version \(layout.version) of cluster \(layout.cluster), as \(report.node) knows it\n"
      text += "\n\(layout.next == nil ? "in force" : "before"): \(terms(layout.current.wish))\n"
      text += table(layout.current, layout, report)
      if let next = layout.next {
        text += "\nmoving to: \(terms(next.wish))\n" + table(next, layout, report)
        let moving = layout.groups.count { $0.phase == .moving }
        text += "\n\(layout.movedGroupCount) of \(layout.groups.count) groups have arrived, \(moving) are moving\n"
      }
    } else {
      text += "\(report.node) goes by no layout\n"
    }
    if let progress = report.progress { text += "\nprogress: \(progress)\n" }
    return text + wishes(report)
  }

  /// What would be lost with some hosts.
  static func loss(of names: [String], _ report: LayoutReport, _ layout: Layout) -> String {
    var counts: [String: Int] = [:]
    for number in 0..<Slot.count { counts[layout.coordinator(of: Slot(number: number)).name, default: 0] += 1 }
    return names.map { name in
      let share = percentage(counts[name] ?? 0)
      let disks = layout.members.filter { $0.name == name }.map(\.disk)
      let heard = report.hosts.filter { disks.contains($0.disk) }.min { $0.ageSeconds < $1.ageSeconds }
      let values = heard?.valueCount.map { Quantity.values(Int(clamping: $0)) } ?? "an unknown number of values"
      let when = heard.map { ", \(Quantity.age(seconds: Int($0.ageSeconds))) ago" } ?? ", not heard of since the start"
      return "\(name): \(values) (\(share) of the slots) will be lost\(when)\n"
    }.joined()
  }

  /// `rendezvous, 1 copy`.
  private static func terms(_ wish: Wish) -> String {
    "\(wish.rule.rawValue), \(Counted(wish.copies, "copy", "copies"))"
  }

  private static func table(_ list: MemberList, _ layout: Layout, _ report: LayoutReport) -> String {
    let rows = zip(list.members, shares(list)).map { member, share in
      [
        member.name, "\(member.member.number)", "\(member.weight)", member.zone ?? "-", share,
        (report.address(of: member.name) ?? "unknown") + (layout.lost.contains(member.member) ? ", given up" : ""),
      ]
    }
    return TableText.text([header] + rows)
  }

  private static func shares(_ list: MemberList) -> [String] {
    list.slotCounts.map(percentage)
  }

  private static func percentage(_ slotCount: Int) -> String {
    let tenths = (slotCount * 1000 + Slot.count / 2) / Slot.count
    return "\(tenths / 10).\(tenths % 10) %"
  }

  /// Who wishes what, where that is not the same everywhere, or not what is in force.
  private static func wishes(_ report: LayoutReport) -> String {
    let wishes = Dictionary(grouping: report.hosts.filter { $0.ageSeconds < freshSeconds }, by: \.wish)
    if wishes.count == 1, let layout = report.layout, wishes.keys.first == (layout.next ?? layout.current).wish {
      return ""
    }
    let lines = wishes.map { wish, hosts in
      "\(hosts.map(\.name).sorted().joined(separator: ", ")): \(words(wish))"
        + (wish == report.layout?.refused ? "; called off" : "")
    }
    return lines.isEmpty ? "" : "\nwishes\n" + lines.sorted().map { "  \($0)\n" }.joined()
  }

  private static let freshSeconds = 10

  private static func words(_ wish: Wish) -> String {
    if wish.hosts.isEmpty { return "no other host" }
    let hosts = wish.hosts.map { host in
      host.name + (host.weight == 1 ? "" : " weight=\(host.weight)") + (host.zone.map { " zone=\($0)" } ?? "")
    }
    return "\(terms(wish)): \(hosts.joined(separator: ", "))"
  }
}

/// Rows of cells in columns.
enum TableText {
  static func text(_ rows: [[String]]) -> String {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      return trimmed(cells.joined(separator: "  ")) + "\n"
    }.joined()
  }

  private static func trimmed(_ line: String) -> String {
    var line = line[...]
    while line.last == " " { line = line.dropLast() }
    return String(line)
  }
}
