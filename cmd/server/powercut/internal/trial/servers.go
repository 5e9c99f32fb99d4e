package trial

import "fmt"

// Vitrine is the server of this project.
func Vitrine(bin string, segmentBytes int) Server {
	return Server{Name: "vitrine", Bin: bin, Args: []string{"--ui=false", "--wal-segment-bytes", fmt.Sprint(segmentBytes)}}
}

// Etcd is the real one, as internal/etcd builds it.
func Etcd(bin string, segmentBytes int) Server {
	return Server{Name: "etcd 3.7.3", Bin: bin, Env: []string{fmt.Sprintf("POWERCUT_SEGMENT_BYTES=%d", segmentBytes)}}
}
