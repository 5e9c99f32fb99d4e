package main

import (
	"bytes"
	"crypto/sha256"
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
		name = below(name)
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
		return visit(filepath.ToSlash(name), data)
	})
}

// keptPrefix begins the name of the folder whose files never change under their
// names: a digest of all of them follows. The server has browsers keep those.
const keptPrefix = "kept-"

// below is the name of a file without the folder of its day.
func below(name string) string {
	if folder, rest, found := strings.Cut(name, "/"); found && strings.HasPrefix(folder, keptPrefix) {
		return rest
	}
	return name
}

// digest of the names and contents of all files in a folder.
func digest(dir string) (string, error) {
	sum := sha256.New()
	err := walk(dir, func(name string, data []byte) error {
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		return nil
	})
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), err
}

// compress writes a .br beside every file that gains by it, or takes the one
// that an earlier build has made of the same file. lowest is the quality of the worst.
func compress(dist string, earlier twins, quality int) (raw, packed int64, lowest int, err error) {
	lowest = max(quality, earlier.quality)
	err = walk(dist, func(name string, data []byte) error {
		if strings.HasPrefix(name, keptPrefix) {
			return nil // that folder is compressed by itself
		}
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
	return raw, packed, lowest, err
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
