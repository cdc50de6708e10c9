# Authorities and certificates for the tests of TLS, in $CLUSTER/pem.

# make_authority NAME
make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -days 30 \
    -keyout "$CLUSTER/pem/$1.key" -out "$CLUSTER/pem/$1.pem" 2>openssl.log
}

# make_certificate NAME AUTHORITY HOSTS
make_certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -keyout "$CLUSTER/pem/$1.key" -out "$1.csr" 2>openssl.log
  openssl x509 -req -in "$1.csr" -days 30 -CA "$CLUSTER/pem/$2.pem" -CAkey "$CLUSTER/pem/$2.key" \
    -extfile <(echo "subjectAltName=$3") -out "$CLUSTER/pem/$1.pem" 2>>openssl.log
  chmod 640 "$CLUSTER/pem/$1.key"
}

# use_tls N LINE...: gives the node the certificate of its number, the authority `ours` and further lines of [TLS].
use_tls() {
  configure "$1" tls '[TLS]' "Certificate=$CLUSTER/pem/$1.pem" "PrivateKey=$CLUSTER/pem/$1.key" \
    "PeerAuthorities=$CLUSTER/pem/ours.pem" "${@:2}"
}
