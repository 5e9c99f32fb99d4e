package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// qualityFile tells the next build how well every file is compressed at least.
const qualityFile = ".quality"

// twins are the files of an earlier build with their compressed twins.
type twins struct {
	quality int
	plain   map[string][]byte // by path below dist
	packed  map[string][]byte
}

// remember reads what an earlier build left. What cannot be read is made anew.
func remember(dist string) twins {
	t := twins{plain: map[string][]byte{}, packed: map[string][]byte{}}
	note, err := os.ReadFile(filepath.Join(dist, qualityFile))
	if err != nil {
		return t
	}
	if t.quality, err = strconv.Atoi(strings.TrimSpace(string(note))); err != nil {
		return t
	}
	walk(dist, func(name string, data []byte) error {
		if plain, ok := strings.CutSuffix(name, ".br"); ok {
			t.packed[plain] = data
		} else {
			t.plain[name] = data
		}
		return nil
	})
	return t
}

// of returns the twin of a file if that has not changed and was compressed at
// least as well as is wanted now.
func (t *twins) of(name string, data []byte, quality int) []byte {
	if t.quality < quality || !bytes.Equal(t.plain[name], data) {
		return nil
	}
	return t.packed[name]
}

// walk visits the files that a build makes.
func walk(dist string, visit func(name string, data []byte) error) error {
	return filepath.WalkDir(dist, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "README.md" || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dist, path)
		if err != nil {
			return err
		}
		return visit(name, data)
	})
}

// compress writes a .br beside every file that gains by it, or takes the one
// that an earlier build has made of the same file.
func compress(dist string, earlier twins, quality int) (raw, packed int64, err error) {
	lowest := max(quality, earlier.quality)
	err = walk(dist, func(name string, data []byte) error {
		raw += int64(len(data))
		twin := earlier.of(name, data, quality)
		if twin == nil {
			lowest = quality
			var err error
			if twin, err = pack(data, quality); err != nil {
				return err
			}
		}
		if len(twin) >= len(data) {
			packed += int64(len(data)) // a font is compressed already
			return nil
		}
		packed += int64(len(twin))
		return os.WriteFile(filepath.Join(dist, name+".br"), twin, 0o644)
	})
	if err != nil {
		return raw, packed, err
	}
	return raw, packed, os.WriteFile(filepath.Join(dist, qualityFile), fmt.Appendln(nil, lowest), 0o644)
}

func pack(data []byte, quality int) ([]byte, error) {
	var out bytes.Buffer
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: quality, LGWin: 24})
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
