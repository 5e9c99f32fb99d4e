// Package decoding decodes what stands in log entries, once for all members of a
// world but the first, who decodes by itself as a server does.
//
//	d := new(decoding.Decoder)
//	req, err := d.Decode(entry.Data)
package decoding

import (
	"vitrine/core/pb"
	"vitrine/core/store"
)

// Decoder remembers the requests in the last entries. All members apply the same ones within a moment; what each keeps
// of them, keys and values, is then one copy.
type Decoder struct {
	requests [64]decoded
	next     int
}

type decoded struct {
	data *byte // where the entry's bytes begin: they are never written to
	req  *pb.InternalRaftRequest
}

// Decode implements store.ApplyContext.Decode.
func (d *Decoder) Decode(data []byte) (*pb.InternalRaftRequest, error) {
	for i := range d.requests {
		if r := &d.requests[(d.next-1-i)&63]; r.data == &data[0] {
			return r.req, nil
		}
	}
	req, err := store.Decode(data)
	if err != nil {
		return nil, err
	}
	d.requests[d.next&63] = decoded{&data[0], req}
	d.next++
	return req, nil
}
