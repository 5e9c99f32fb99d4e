package api

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// entryWords is how many characters of a key or a value stand for it in the words of an entry.
const entryWords = 24

// EntryWords says in a few characters what an entry of the log does: "x=1", "del x", "no-op", "conf".
// Without values a put is told by its key.
func EntryWords(e *raftpb.Entry, values bool) string {
	switch {
	case e.GetType() != raftpb.EntryNormal:
		return "conf"
	case len(e.Data) == 0:
		return "no-op"
	}
	var r pb.InternalRaftRequest
	if err := r.UnmarshalVT(e.Data); err != nil {
		return "?"
	}
	switch {
	case r.Put != nil:
		return wordsOf(r.Put, values)
	case r.DeleteRange != nil:
		return wordsOf(r.DeleteRange, values)
	case r.Txn != nil:
		return wordsOf(r.Txn, values)
	case r.Compaction != nil:
		return wordsOf(r.Compaction, values)
	}
	return wordsOf(nil, values)
}

// wordsOf is EntryWords of the request that an entry is made of.
func wordsOf(body any, values bool) string {
	switch r := body.(type) {
	case *pb.PutRequest:
		if !values {
			return Clip(r.Key, entryWords)
		}
		return Clip(r.Key, entryWords) + "=" + Clip(r.Value, entryWords)
	case *pb.DeleteRangeRequest:
		return "del " + Clip(r.Key, entryWords)
	case *pb.TxnRequest:
		return "txn"
	case *pb.CompactionRequest:
		return "compact " + strconv.FormatInt(r.Revision, 10)
	case *pb.MemberAddRequest, *pb.MemberRemoveRequest, *pb.MemberUpdateRequest, *pb.MemberPromoteRequest:
		return "conf"
	}
	return "member"
}

// Clip returns the first n characters of a text. One that is longer ends in an ellipsis; what is no UTF-8 shows as the
// replacement character.
func Clip[T string | []byte](text T, n int) string {
	head := text[:min(len(text), n*utf8.UTFMax+utf8.UTFMax)]
	for i, count := 0, 0; i < len(head); count++ {
		if count == n {
			return strings.ToValidUTF8(string(head[:i]), "\uFFFD") + "…"
		}
		_, size := utf8.DecodeRuneInString(string(head[i:min(len(head), i+utf8.UTFMax)]))
		i += size
	}
	return strings.ToValidUTF8(string(head), "\uFFFD")
}
