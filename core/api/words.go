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
	if _, body := Asked(&r); body != nil {
		return wordsOf(body, values)
	}
	return ownWords(&r)
}

// ownWords is EntryWords of what members propose by themselves.
func ownWords(r *pb.InternalRaftRequest) string {
	switch {
	case r.Authenticate != nil:
		return "authenticate " + Clip(r.Authenticate.Name, entryWords)
	case r.LeaseCheckpoint != nil:
		return "lease time"
	case r.ClusterVersionSet != nil:
		return "version " + Clip(r.ClusterVersionSet.Ver, entryWords)
	case r.ClusterMemberAttrSet != nil:
		return "member"
	case r.DowngradeInfoSet != nil:
		return "downgrade"
	}
	return "?"
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
	case *pb.LeaseGrantRequest:
		return "lease " + strconv.FormatUint(uint64(r.ID), 16) + " " + strconv.FormatInt(r.TTL, 10) + "s"
	case *pb.LeaseKeepAliveRequest: // its entry is a checkpoint
		return "lease time"
	case *pb.LeaseRevokeRequest:
		return "revoke " + strconv.FormatUint(uint64(r.ID), 16)
	}
	return userWords(body)
}

// userWords is wordsOf what is asked about users, and of whatever has no words of its own: the operation, and whose
// name it is about. Nothing secret is told.
func userWords(body any) string {
	words := strings.ReplaceAll(strings.TrimPrefix(OperationOf(body).String(), "auth_"), "_", " ")
	switch r := body.(type) {
	case *pb.AuthUserGrantRoleRequest:
		return words + " " + Clip(r.User, entryWords)
	case interface{ GetName() string }:
		return words + " " + Clip(r.GetName(), entryWords)
	case interface{ GetRole() string }:
		return words + " " + Clip(r.GetRole(), entryWords)
	}
	return words
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
