package node

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"vitrine/core/backend"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

const defaultQuota = limits.QuotaBackendBytes

// hash is etcd's checksum of the whole database: the names of the buckets and all pairs,
// without those that may differ between members that agree.
func (n *Node) hash() (*pb.HashResponse, error) {
	start := time.Now()
	n.mu.Lock()
	view, rev := n.state.Store.Backend.View(), n.state.Store.KV.Revision()
	n.mu.Unlock()
	defer view.Close()
	buckets := slices.Clone(backend.Buckets())
	slices.SortFunc(buckets, func(a, b backend.Bucket) int { return strings.Compare(a.Name(), b.Name()) })
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range buckets {
		h.Write([]byte(b.Name()))
		view.Range(b, nil, nil, 0, func(k, v []byte) bool {
			if b != backend.Meta || !slices.ContainsFunc(unhashed, func(name []byte) bool { return bytes.Equal(name, k) }) {
				h.Write(k)
				h.Write(v)
			}
			return true
		})
	}
	n.metrics.hash.Observe(time.Since(start).Seconds())
	return &pb.HashResponse{Header: &pb.ResponseHeader{Revision: rev}, Hash: h.Sum32()}, nil
}

// unhashed are the keys of the meta bucket that are one member's own.
var unhashed = [][]byte{[]byte("consistent_index"), []byte("term"), []byte("storageVersion")}
