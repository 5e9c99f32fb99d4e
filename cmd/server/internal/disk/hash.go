package disk

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"vitrine/core/api"
	"vitrine/core/audit"
	"vitrine/core/backend"
	"vitrine/core/pb"
)

// Hash is etcd's checksum of the whole database: the names of the buckets and all pairs,
// without those that may differ between members that agree.
func (d *Disk) Hash() (*pb.HashResponse, error) {
	if !d.readers.Enter() {
		return nil, api.ErrStopped
	}
	defer d.readers.Leave()
	start := time.Now()
	d.mu.Lock()
	view, rev := d.state.Store.Backend.View(), d.state.Store.KV.Revision()
	d.mu.Unlock()
	defer view.Close()
	buckets := slices.Clone(backend.Buckets())
	slices.SortFunc(buckets, func(a, b backend.Bucket) int { return strings.Compare(a.Name(), b.Name()) })
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range buckets {
		h.Write([]byte(b.Name()))
		view.Range(b, nil, nil, 0, func(k, v []byte) bool {
			if b != backend.Meta ||
				!slices.ContainsFunc(unhashed, func(name []byte) bool { return bytes.Equal(name, k) }) {
				h.Write(k)
				h.Write(v)
			}
			return true
		})
	}
	d.metrics.Hash.Observe(time.Since(start).Seconds())
	return &pb.HashResponse{Header: &pb.ResponseHeader{Revision: rev}, Hash: h.Sum32()}, nil
}

// unhashed are the keys of the meta bucket that are one member's own.
var unhashed = [][]byte{[]byte("consistent_index"), []byte("term"), []byte("storageVersion")}

// HashKV hashes the pairs as of a revision, on a view.
func (d *Disk) HashKV(r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	if !d.readers.Enter() {
		return nil, api.ErrStopped
	}
	defer d.readers.Leave()
	start := time.Now()
	v := d.view()
	defer v.Close()
	answer, err := audit.Ask(v, r)
	if err == nil {
		d.metrics.HashRev.Observe(time.Since(start).Seconds())
	}
	return answer, err
}
