package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// explained are the reasons why survivors cannot be seen, by their names.
type explained map[string]string

// readExplained reads a file of names, each on a line of its own with its reason
// indented below it:
//
//	wal WAL.Append boundary: w.offset < w.o.SegmentBytes => <=
//		A segment is cut one record earlier or later; ...
//
// Lines that begin with # are comments.
func readExplained(path string) (explained, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e, err := parseExplained(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

func parseExplained(text string) (explained, error) {
	e := explained{}
	var names []string
	given := true // the names above have their reason
	at := 0
	for line := range strings.SplitSeq(text, "\n") {
		at++
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(line, "#"):
		case line[0] == ' ' || line[0] == '\t':
			if len(names) == 0 {
				return nil, fmt.Errorf("line %d: a reason without a name", at)
			}
			for _, name := range names {
				e[name] = strings.TrimSpace(e[name] + " " + trimmed)
			}
			given = true
		default:
			if given {
				names = nil
			}
			if _, twice := e[trimmed]; twice {
				return nil, fmt.Errorf("line %d: %s is explained twice", at, trimmed)
			}
			names, given = append(names, trimmed), false
			e[trimmed] = ""
		}
	}
	if !given {
		return nil, fmt.Errorf("%s has no reason", names[len(names)-1])
	}
	return e, nil
}
