package trace

import "math/bits"

// Instant is a moment in nanoseconds since the world began.
type Instant int64

// Event is one thing that happened. A field that a kind does not use is zero.
type Event struct {
	Seq     uint64  // its place in the stream, from 1
	Cause   uint64  // Seq of the event that led to it; 0 = none
	Now     Instant // when
	Kind    Kind    // what
	Msg     uint8   // raft's message type + 1 for message events; 0 otherwise
	Member  uint64  // where; 0 = the world: the network, clients
	Peer    uint64  // the other side
	Term    uint64
	Index   uint64
	Rev     int64
	Request uint64 // client request id; 0 = none
	A, B, C uint64 // see the Kind
	Text    string // a key, the name of a station, an error
}

// Sink takes events. e is valid during the call only; a sink that keeps it
// copies it. A sink must not change it.
type Sink interface{ Emit(e *Event) }

// Rejected is the bit of C that marks a rejection in message events.
const Rejected = 1 << 32

// HashData is the hash of an entry's data that EntryAppended and EntryApplied
// carry: equal data have equal hashes in every world. It is never 0, so that 0
// can mean "unknown".
func HashData(data []byte) uint64 {
	h := uint64(len(data))*prime1 + prime5
	for len(data) >= 8 {
		h = round(h, le64(data))
		data = data[8:]
	}
	for _, b := range data {
		h = (h ^ uint64(b)*prime5) * prime1
		h ^= h >> 29
	}
	if h = avalanche(h); h == 0 {
		return 1
	}
	return h
}

func le64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func hashText(s string) uint64 {
	h := uint64(len(s))*prime1 + prime5
	for len(s) >= 8 {
		h = round(h, uint64(s[0])|uint64(s[1])<<8|uint64(s[2])<<16|uint64(s[3])<<24|
			uint64(s[4])<<32|uint64(s[5])<<40|uint64(s[6])<<48|uint64(s[7])<<56)
		s = s[8:]
	}
	for i := range len(s) {
		h = (h ^ uint64(s[i])*prime5) * prime1
		h ^= h >> 29
	}
	return avalanche(h)
}

// The constants and the round are xxHash's: 64-bit multiplications only, which
// js/wasm has too, so that both worlds pay little for equal bits.
const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
	prime5 = 0x27D4EB2F165667C5
)

// round folds x into h. For a fixed x it is a bijection of h, so a difference
// once there does not fade away.
func round(h, x uint64) uint64 {
	return bits.RotateLeft64(h+x*prime2, 31) * prime1
}

func avalanche(h uint64) uint64 {
	h ^= h >> 33
	h *= prime2
	h ^= h >> 29
	h *= prime3
	return h ^ h>>32
}
