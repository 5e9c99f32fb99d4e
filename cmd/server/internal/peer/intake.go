package peer

import (
	"context"
	"errors"
	"io"

	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sync/semaphore"

	"vitrine/core/limits"
)

var (
	errTooLong = errors.New("peer: message exceeds the limit")
	errNoRoom  = errors.New("peer: too many bytes of messages are being received")
)

// intake is the room for messages that are being received: from the first byte until the member has them or has
// refused them. It bounds their bytes over all connections, where a bound for each would be none.
type intake struct {
	limit int // bytes of one message
	room  *semaphore.Weighted
	total int64
}

// newIntake has room for a number of messages of the largest size.
func newIntake(limit, messages int) *intake {
	total := int64(limit) * int64(messages)
	return &intake{limit: limit, room: semaphore.NewWeighted(total), total: total}
}

const (
	// smallMessage is what a stream may have in memory beside the room, so that a heartbeat never waits for an append
	// of another peer. Their number is the number of members.
	smallMessage = limits.PeerSmallMessageBytes
	// leastClaim is what a POST takes at least, so that the room bounds their number, too.
	leastClaim = 16 << 10
)

// A claim is the part of the room that one message has. It is of one goroutine.
type claim struct {
	of   *intake
	held int64
}

// take makes the claim at least n bytes large and waits for room, as long as it holds none yet: who holds some and
// waits for more waits for one who does the same.
func (c *claim) take(ctx context.Context, n int64) error {
	more := n - c.held
	switch {
	case more <= 0:
		return nil
	case n > c.of.total:
		return errTooLong
	case c.held > 0:
		if !c.of.room.TryAcquire(more) {
			return errNoRoom
		}
	default:
		ctx, cancel := context.WithTimeout(ctx, roomTimeout)
		defer cancel()
		if c.of.room.Acquire(ctx, more) != nil {
			return errNoRoom
		}
	}
	c.held = n
	return nil
}

// release gives the room back. It may be called at any time, also twice.
func (c *claim) release() {
	c.of.room.Release(c.held)
	c.held = 0
}

// readBody reads a message whose sender has said how long it is, or -1 if it has not.
func (c *claim) readBody(ctx context.Context, r io.Reader, length int64) ([]byte, error) {
	if length > int64(c.of.limit) {
		return nil, errTooLong
	}
	if err := c.take(ctx, max(length, leastClaim)); err != nil {
		return nil, err
	}
	if length >= 0 {
		b := make([]byte, length)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	b := make([]byte, 0, leastClaim)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) < cap(b):
			continue
		case len(b) > c.of.limit:
			return nil, errTooLong
		}
		// While the bytes move to a larger slice, both are there.
		grown := 2 * cap(b)
		if err := c.take(ctx, int64(min(grown+cap(b), int(c.of.total)))); err != nil {
			return nil, err
		}
		b = append(make([]byte, 0, grown), b...)
	}
}

// readPiece reads n bytes of a message of a stream into memory of their own.
func (c *claim) readPiece(ctx context.Context, r io.Reader, n int) ([]byte, error) {
	if n > c.of.limit {
		return nil, errTooLong
	}
	if n > smallMessage {
		if err := c.take(ctx, int64(n)); err != nil {
			return nil, err
		}
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// snapshotGrowth is how much larger than its bytes a snapshot message may be in memory: ids of one byte become eight.
const snapshotGrowth = 8

// readSnapshotMessage reads the message in front of a database, and tells how many bytes the database has if the sender
// has said how long all of it is.
func (c *claim) readSnapshotMessage(ctx context.Context, r io.Reader,
	length int64) (m *raftpb.Message, declared int64, err error) {
	n, err := readLength(r, limits.MaxSnapshotMessageBytes)
	if err != nil {
		return nil, 0, err
	}
	if err := c.take(ctx, max(min(snapshotGrowth*int64(n), c.of.total), leastClaim)); err != nil {
		return nil, 0, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, 0, err
	}
	if declared = -1; length >= 0 {
		declared = length - int64(n) - 8
	}
	m, err = decodeMessage(b)
	return m, declared, err
}

// messageLimit is the size of a message that must be taken where requests may have so many bytes.
func messageLimit(maxRequestBytes int) int {
	return max(limits.MaxPeerMessageBytes, 4*maxRequestBytes)
}
