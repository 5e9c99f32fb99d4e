package serving

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// Snapshot sends a client the database in pieces, and the SHA-256 of it all in the end.
func (s *Server) Snapshot(ctx context.Context, c api.Call, send func(*pb.SnapshotResponse) error) error {
	if _, err := s.awaitRead(ctx, c); err != nil {
		return err
	}
	return s.disk.WithImage(func(image backend.Snapshot) error { return s.sendImage(image, send) })
}

func (s *Server) sendImage(image backend.Snapshot, send func(*pb.SnapshotResponse) error) error {
	start, version := time.Now(), s.StorageVersion()
	s.log.Info(
		"sending database snapshot to client",
		zap.Int64("total-bytes", image.Size()),
		zap.String("storage-version", version),
	)
	w := &pieces{send: send, version: version, rest: image.Size(), hash: sha256.New()}
	if _, err := image.WriteTo(w); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	if w.rest != 0 {
		return fmt.Errorf("the database has %d bytes more than were sent", w.rest)
	}
	if err := send(&pb.SnapshotResponse{Blob: w.hash.Sum(nil), Version: version}); err != nil {
		return err
	}
	s.metrics.ImageSend.Observe(time.Since(start).Seconds())
	s.log.Info(
		"successfully sent database snapshot to client",
		zap.Int64("total-bytes", image.Size()),
		zap.Duration("took", time.Since(start)),
		zap.String("storage-version", version),
	)
	return nil
}

// pieces cuts what is written to it into messages.
type pieces struct {
	send    func(*pb.SnapshotResponse) error
	version string
	rest    int64
	buf     []byte
	hash    hash.Hash
}

func (p *pieces) Write(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 {
		if p.buf == nil {
			p.buf = make([]byte, 0, limits.SnapshotChunkBytes) // gRPC may still hold the one before
		}
		k := min(len(b), cap(p.buf)-len(p.buf))
		p.buf = append(p.buf, b[:k]...)
		b = b[k:]
		if len(p.buf) == cap(p.buf) {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (p *pieces) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	if _, err := p.hash.Write(p.buf); err != nil {
		return err
	}
	p.rest -= int64(len(p.buf))
	piece := &pb.SnapshotResponse{RemainingBytes: uint64(p.rest), Blob: p.buf, Version: p.version}
	p.buf = nil
	return p.send(piece)
}
