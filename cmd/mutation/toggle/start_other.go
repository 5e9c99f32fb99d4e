//go:build !linux

package toggle

// start: mutation testing needs Linux, and all code is as it was written here.
func start() (uint32, []byte) { return 0, nil }
