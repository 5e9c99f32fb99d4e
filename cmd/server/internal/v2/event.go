package v2

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Node is a node as clients see it.
type Node struct {
	Key           string     `json:"key,omitempty"` // the root has none
	Value         *string    `json:"value,omitempty"`
	Dir           bool       `json:"dir,omitempty"`
	Expiration    *time.Time `json:"expiration,omitempty"`
	TTL           int64      `json:"ttl,omitempty"` // seconds
	Nodes         []*Node    `json:"nodes,omitempty"`
	ModifiedIndex uint64     `json:"modifiedIndex,omitempty"`
	CreatedIndex  uint64     `json:"createdIndex,omitempty"`
}

// expiring says when a node runs out, if it does. A second that has begun counts.
func (n *Node) expiring(at int64, now time.Time) {
	if at == 0 {
		return
	}
	t := time.Unix(0, at).UTC()
	n.Expiration = &t
	n.TTL = max(int64((t.Sub(now)+time.Second-1)/time.Second), 0)
}

// Event is an answer: what was done, or has happened.
type Event struct {
	Action   string `json:"action"`
	Node     *Node  `json:"node,omitempty"`
	PrevNode *Node  `json:"prevNode,omitempty"`

	index int64 // of the store
	term  uint64
}

// isNew tells whether the node was not there before.
func (e *Event) isNew() bool {
	return e.Action == create.String() || e.Action == set.String() && e.PrevNode == nil
}

// Error is an answer that is none. Codes and messages are etcd's.
type Error struct {
	Code    int    `json:"errorCode"`
	Message string `json:"message"`
	Cause   string `json:"cause,omitempty"`
	Index   uint64 `json:"index"`
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s (%s)", e.Message, e.Cause) }

// The codes that are in use.
const (
	codeNotFound      = 100
	codeCompareFailed = 101
	codeNotFile       = 102
	codeNotDir        = 104
	codeExists        = 105
	codeRootReadOnly  = 107
	codeNotEmpty      = 108
	codeUnauthorized  = 110
	codePrevValue     = 201
	codeTTL           = 202
	codeIndex         = 203
	codeField         = 209
	codeForm          = 210
	codeRefreshValue  = 211
	codeRefreshTTL    = 212
	codeInternal      = 300
	codeCleared       = 401
)

// reason is what a code means: its message, and the status of HTTP.
type reason struct {
	message string
	status  int
}

func reasonOf(code int) reason {
	return map[int]reason{
		codeNotFound:      {"Key not found", http.StatusNotFound},
		codeCompareFailed: {"Compare failed", http.StatusPreconditionFailed},
		codeNotFile:       {"Not a file", http.StatusForbidden},
		codeNotDir:        {"Not a directory", http.StatusBadRequest},
		codeExists:        {"Key already exists", http.StatusPreconditionFailed},
		codeRootReadOnly:  {"Root is read only", http.StatusBadRequest},
		codeNotEmpty:      {"Directory not empty", http.StatusForbidden},
		codeUnauthorized:  {"The request requires user authentication", http.StatusUnauthorized},
		codePrevValue:     {"PrevValue is Required in POST form", http.StatusBadRequest},
		codeTTL:           {"The given TTL in POST form is not a number", http.StatusBadRequest},
		codeIndex:         {"The given index in POST form is not a number", http.StatusBadRequest},
		codeField:         {"Invalid field", http.StatusBadRequest},
		codeForm:          {"Invalid POST form", http.StatusBadRequest},
		codeRefreshValue:  {"Value provided on refresh", http.StatusBadRequest},
		codeRefreshTTL:    {"A TTL must be provided on refresh", http.StatusBadRequest},
		codeInternal:      {"Raft Internal Error", http.StatusInternalServerError},
		codeCleared:       {"The event in requested index is outdated and cleared", http.StatusBadRequest},
	}[code]
}

func fail(code int, cause string, index int64) *Error {
	return &Error{Code: code, Message: reasonOf(code).message, Cause: cause, Index: uint64(index)}
}

func (e *Error) write(w http.ResponseWriter) {
	w.Header().Set("X-Etcd-Index", fmt.Sprint(e.Index))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(reasonOf(e.Code).status)
	_ = json.NewEncoder(w).Encode(e) // the client may have gone
}
