package v2

import (
	"path"
	"strings"
)

// Prefix is where the nodes of version 2 are among the keys of version 3. Other clients leave it alone.
const Prefix = "_vitrine/v2/keys"

const root = "/"

// clean writes a path in one way: "/" or "/a/b".
func clean(p string) string { return path.Clean(root + p) }

// keyOf is the key of a node.
func keyOf(p string) string {
	if p == root {
		return Prefix + root
	}
	return Prefix + p + "/"
}

// noteOf is the key of the note about what was last removed from a directory.
func noteOf(dir string) string { return keyOf(dir) + "/" }

// pathOf is the path of a node's key. Notes, and what else may be there, have none.
func pathOf(key []byte) (p string, ok bool) {
	p, ok = strings.CutPrefix(string(key), Prefix)
	if !ok || len(p) < 2 || p[0] != '/' || p[len(p)-1] != '/' {
		return "", false
	}
	p = p[:len(p)-1]
	return p, p != root && clean(p) == p
}

// end is where the range ends that begins with a key: of the node and all below it.
func end(key string) []byte {
	b := []byte(key)
	b[len(b)-1]++ // a slash
	return b
}

// above are the directories on the way to a node, from the top, without the root.
func above(p string) (dirs []string) {
	for i := 1; i < len(p); i++ {
		if p[i] == '/' {
			dirs = append(dirs, p[:i])
		}
	}
	return dirs
}

// join is the path of an entry of a directory.
func join(dir, name string) string { return path.Join(dir, name) }

// within tells whether a node is a directory's own, at any depth, or the directory itself.
func within(dir, p string) bool { return dir == root || p == dir || strings.HasPrefix(p, dir+"/") }

// hidden tells whether a node is hidden from who looks at a directory above it.
func hidden(dir, p string) bool {
	return within(dir, p) && strings.Contains(clean(strings.TrimPrefix(p, dir)), "/_")
}

// split is the directory of a node, and its name there.
func split(p string) (dir, name string) {
	dir, name = path.Split(p)
	return clean(dir), name
}
