package sim

import (
	"vitrine/core/pb"
	"vitrine/core/store"
)

// decoder remembers the requests in the last entries. All members apply the same ones
// within a moment; what each keeps of them, keys and values, is then one copy.
type decoder struct {
	requests [64]struct {
		data *byte // where the entry's bytes begin: they are never written to
		req  *pb.InternalRaftRequest
	}
	next int
}

// decode implements store.ApplyContext.Decode.
func (d *decoder) decode(data []byte) (*pb.InternalRaftRequest, error) {
	for i := range d.requests {
		if r := &d.requests[(d.next-1-i)&63]; r.data == &data[0] {
			return r.req, nil
		}
	}
	req, err := store.Decode(data)
	if err != nil {
		return nil, err
	}
	d.requests[d.next&63] = struct {
		data *byte
		req  *pb.InternalRaftRequest
	}{&data[0], req}
	d.next++
	return req, nil
}
