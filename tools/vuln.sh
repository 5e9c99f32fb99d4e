#!/usr/bin/env bash
# Looks for known vulnerabilities in what the server, the tools and the page call.
#
# govulncheck wants a database with an index, by default vuln.go.dev. The reports are also a Go module,
# golang.org/x/vulndb; its own tool makes the index. The version in tools/go.mod is used, so that the answer depends on
# the commit only; VULNDB=latest (or another version) takes other reports.
#
# Exit status: 1 if a vulnerability of a module is called. Those of the standard library are printed only: they belong
# to the Go that builds, and go with a newer one.
set -euo pipefail
cd "$(dirname "$0")"
out=$PWD/../build
version=${VULNDB:-$(go list -m -f '{{.Version}}' golang.org/x/vulndb)}
go build -o "$out/tools/" golang.org/x/vuln/cmd/govulncheck golang.org/x/vulndb/cmd/indexdb
reports=$(go mod download -json "golang.org/x/vulndb@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
rm -rf "$out/vulndb"
"$out/tools/indexdb" -vulns "$reports/data/osv" -out "$out/vulndb"
db=file://$(cd "$out/vulndb" && pwd)

cd ..
status=0
check() {
  local found=0
  "$out/tools/govulncheck" -db "$db" "$@" >"$out/vuln.txt" || found=$?
  [ $found = 0 ] || [ $found = 3 ] || { cat "$out/vuln.txt"; exit $found; } # 3: something was found
  sed '/^ *#[0-9]*: /d; /Example traces found/d' "$out/vuln.txt"
  ! grep -q '^  Module: ' "$out/vuln.txt" || status=1
}
echo "reports: golang.org/x/vulndb $version"
check ./...
GOOS=js GOARCH=wasm check -tags mutants ./wasm/...
exit $status
