package secure

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"sync"

	"go.uber.org/zap"
)

// watched is what a few files say, parsed again whenever their bytes differ from those that were read last.
type watched[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *zap.Logger

	mu     sync.Mutex
	read   [][]byte // as it was parsed last, with success or without
	value  T        // as it was parsed last with success
	failed string   // why the newest could not be had, said once
}

func watch[T any](log *zap.Logger, parse func([][]byte) (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, parse: parse, log: log}
	contents, err := w.contents()
	if err != nil {
		return nil, err
	}
	w.read = contents
	w.value, err = parse(contents)
	return w, err
}

func (w *watched[T]) contents() ([][]byte, error) {
	out := make([][]byte, len(w.paths))
	for i, path := range w.paths {
		var err error
		if out[i], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// current is what the files say now, or said when they last made sense.
func (w *watched[T]) current() T {
	contents, err := w.contents()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		if w.same(contents) {
			return w.value
		}
		w.read = contents
		var value T
		if value, err = w.parse(contents); err == nil {
			w.value, w.failed = value, ""
			w.log.Info("read changed TLS files", zap.Strings("files", w.paths))
			return value
		}
	}
	if text := err.Error(); text != w.failed {
		w.failed = text
		w.log.Warn("cannot use changed TLS files; those read before stay in use", zap.Strings("files", w.paths),
			zap.Error(err))
	}
	return w.value
}

func (w *watched[T]) same(contents [][]byte) bool {
	for i := range contents {
		if !bytes.Equal(contents[i], w.read[i]) {
			return false
		}
	}
	return true
}

// pair is a certificate with its key.
type pair struct{ *watched[*tls.Certificate] }

func newPair(cert, key string, log *zap.Logger) (*pair, error) {
	w, err := watch(log, func(contents [][]byte) (*tls.Certificate, error) {
		c, err := tls.X509KeyPair(contents[0], contents[1])
		return &c, err
	}, cert, key)
	if err != nil {
		return nil, err
	}
	return &pair{w}, nil
}

func (p *pair) current() (*tls.Certificate, error) { return p.watched.current(), nil }

// authorities are those whose word counts.
type authorities struct{ *watched[*x509.CertPool] }

func newAuthorities(file string, log *zap.Logger) (*authorities, error) {
	w, err := watch(log, func(contents [][]byte) (*x509.CertPool, error) { return pool(contents[0]) }, file)
	if err != nil {
		return nil, err
	}
	return &authorities{w}, nil
}

func pool(data []byte) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return p, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		p.AddCert(c)
	}
}
