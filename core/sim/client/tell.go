package client

import (
	"strconv"
	"unicode/utf8"

	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// Words is how many characters of a key or a value are shown where a request and
// its answer are told.
const Words = 256

// tell tells of a watch at its client.
func (p *Pool) tell(wt *Watcher, e trace.Event) {
	e.A, e.B = wt.ID, uint64(wt.Client)
	p.host.Emit(e)
}

// tellChange tells of a change that has reached a client, and returns its key and
// its value, cut short.
func (p *Pool) tellChange(wt *Watcher, ev *pb.Event) (key, value string) {
	text := append(p.text[:0], ev.Kv.Key...)
	if len(ev.Kv.Value) <= Words && utf8.Valid(ev.Kv.Value) {
		text = append(text, ev.Kv.Value...)
	} else {
		text = append(text, api.Clip(ev.Kv.Value, Words)...)
	}
	p.text = text
	n := len(ev.Kv.Key)
	e := trace.Event{Kind: trace.WatchChange, Rev: ev.Kv.ModRevision, C: uint64(n), Text: string(text)}
	if ev.Type == pb.Event_DELETE {
		e.Index = 1
	}
	p.tell(wt, e)
	return e.Text[:n], e.Text[n:]
}

// AnswerWords says in a few words what a response holds.
func AnswerWords(response any) string {
	switch r := response.(type) {
	case *pb.RangeResponse:
		return rangeWords(r)
	case *pb.PutResponse:
		return "ok"
	case *pb.DeleteRangeResponse:
		return strconv.FormatInt(r.Deleted, 10) + " deleted"
	case *pb.TxnResponse:
		return txnWords(r)
	case *pb.CompactionResponse:
		return "compacted"
	}
	return leaseWords(response)
}

func rangeWords(r *pb.RangeResponse) string {
	switch {
	case len(r.Kvs) == 0 && r.Count == 0:
		return "not found"
	case len(r.Kvs) == 1:
		return api.Clip(r.Kvs[0].Key, Words) + " = " + api.Clip(r.Kvs[0].Value, Words)
	}
	return strconv.FormatInt(r.Count, 10) + " keys"
}

// txnWords says which way a transaction went, and what it has read there first.
func txnWords(r *pb.TxnResponse) string {
	words := "failed"
	if r.Succeeded {
		words = "succeeded"
	}
	for _, op := range r.Responses {
		if read := op.GetResponseRange(); read != nil {
			return words + ": " + rangeWords(read)
		}
	}
	return words
}

func leaseWords(response any) string {
	switch r := response.(type) {
	case *pb.LeaseGrantResponse:
		return "lease " + strconv.FormatInt(r.ID, 16) + ", TTL " + strconv.FormatInt(r.TTL, 10) + " s"
	case *pb.LeaseKeepAliveResponse:
		if r.TTL <= 0 {
			return "the lease is gone"
		}
		return "TTL " + strconv.FormatInt(r.TTL, 10) + " s"
	case *pb.LeaseTimeToLiveResponse:
		if r.TTL < 0 {
			return "the lease is gone"
		}
		return strconv.FormatInt(r.TTL, 10) + " s left of " + strconv.FormatInt(r.GrantedTTL, 10) + " s, " +
			strconv.Itoa(len(r.Keys)) + " keys"
	case *pb.LeaseLeasesResponse:
		return strconv.Itoa(len(r.Leases)) + " leases"
	}
	return ""
}
