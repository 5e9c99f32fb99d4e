//go:build tools

package old

import _ "go.etcd.io/etcd"
