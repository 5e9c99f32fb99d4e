package v2

import (
	"net/http"
	"testing"
)

// asked is one request of a table, and what is answered.
type asked struct {
	method, path, form string
	status             int
	body               string
}

// TestDocumented: the requests of etcd's own description of the API, in its order, answered word by word. Numbers are
// those of a store that begins at 1.
func TestDocumented(t *testing.T) {
	c := open(t)
	for _, a := range []asked{
		// Setting, getting, changing and deleting a key.
		{"PUT", "/message", "value=Hello+world", 201,
			`{"action":"set","node":{"key":"/message","value":"Hello world","modifiedIndex":2,"createdIndex":2}}`},
		{"GET", "/message", "", 200,
			`{"action":"get","node":{"key":"/message","value":"Hello world","modifiedIndex":2,"createdIndex":2}}`},
		{"PUT", "/message", "value=Hello+etcd", 200,
			`{"action":"set","node":{"key":"/message","value":"Hello etcd","modifiedIndex":3,"createdIndex":3},` +
				`"prevNode":{"key":"/message","value":"Hello world","modifiedIndex":2,"createdIndex":2}}`},
		{"DELETE", "/message", "", 200,
			`{"action":"delete","node":{"key":"/message","modifiedIndex":4,"createdIndex":3},` +
				`"prevNode":{"key":"/message","value":"Hello etcd","modifiedIndex":3,"createdIndex":3}}`},
		{"GET", "/message", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/message","index":4}`},
		// Time to live.
		{"PUT", "/foo", "value=bar&ttl=5", 201,
			`{"action":"set","node":{"key":"/foo","value":"bar","expiration":"2023-11-14T22:13:25Z","ttl":5,` +
				`"modifiedIndex":5,"createdIndex":5}}`},
		{"PUT", "/foo", "value=bar&ttl=&prevExist=true", 200,
			`{"action":"update","node":{"key":"/foo","value":"bar","modifiedIndex":6,"createdIndex":5},` +
				`"prevNode":{"key":"/foo","value":"bar","expiration":"2023-11-14T22:13:25Z","ttl":5,"modifiedIndex":5,` +
				`"createdIndex":5}}`},
		{"PUT", "/foo", "ttl=5&refresh=true&prevExist=true", 200,
			`{"action":"update","node":{"key":"/foo","value":"bar","expiration":"2023-11-14T22:13:25Z","ttl":5,` +
				`"modifiedIndex":7,"createdIndex":5},` +
				`"prevNode":{"key":"/foo","value":"bar","modifiedIndex":6,"createdIndex":5}}`},
		// Keys in order.
		{"POST", "/queue", "value=Job1", 201,
			`{"action":"create","node":{"key":"/queue/00000000000000000008","value":"Job1","modifiedIndex":8,` +
				`"createdIndex":8}}`},
		{"POST", "/queue", "value=Job2", 201,
			`{"action":"create","node":{"key":"/queue/00000000000000000009","value":"Job2","modifiedIndex":9,` +
				`"createdIndex":9}}`},
		{"GET", "/queue?recursive=true&sorted=true", "", 200,
			`{"action":"get","node":{"key":"/queue","dir":true,"nodes":[` +
				`{"key":"/queue/00000000000000000008","value":"Job1","modifiedIndex":8,"createdIndex":8},` +
				`{"key":"/queue/00000000000000000009","value":"Job2","modifiedIndex":9,"createdIndex":9}],` +
				`"modifiedIndex":8,"createdIndex":8}}`},
		// A directory with a time to live.
		{"PUT", "/dir", "ttl=30&dir=true", 201,
			`{"action":"set","node":{"key":"/dir","dir":true,"expiration":"2023-11-14T22:13:50Z","ttl":30,` +
				`"modifiedIndex":10,"createdIndex":10}}`},
		{"PUT", "/dir", "ttl=30&dir=true&prevExist=true", 200,
			`{"action":"update","node":{"key":"/dir","dir":true,"expiration":"2023-11-14T22:13:50Z","ttl":30,` +
				`"modifiedIndex":11,"createdIndex":10},"prevNode":{"key":"/dir","dir":true,` +
				`"expiration":"2023-11-14T22:13:50Z","ttl":30,"modifiedIndex":10,"createdIndex":10}}`},
		// Compare and swap, compare and delete.
		{"PUT", "/foo", "value=one", 200,
			`{"action":"set","node":{"key":"/foo","value":"one","modifiedIndex":12,"createdIndex":12},` +
				`"prevNode":{"key":"/foo","value":"bar","expiration":"2023-11-14T22:13:25Z","ttl":5,"modifiedIndex":7,` +
				`"createdIndex":5}}`},
		{"PUT", "/foo?prevExist=false", "value=three", 412,
			`{"errorCode":105,"message":"Key already exists","cause":"/foo","index":12}`},
		{"PUT", "/foo?prevValue=two", "value=three", 412,
			`{"errorCode":101,"message":"Compare failed","cause":"[two != one]","index":12}`},
		{"PUT", "/foo?prevValue=one", "value=two", 200,
			`{"action":"compareAndSwap","node":{"key":"/foo","value":"two","modifiedIndex":13,"createdIndex":12},` +
				`"prevNode":{"key":"/foo","value":"one","modifiedIndex":12,"createdIndex":12}}`},
		{"DELETE", "/foo?prevValue=one", "", 412,
			`{"errorCode":101,"message":"Compare failed","cause":"[one != two]","index":13}`},
		{"DELETE", "/foo?prevIndex=1", "", 412,
			`{"errorCode":101,"message":"Compare failed","cause":"[1 != 13]","index":13}`},
		{"DELETE", "/foo?prevIndex=1&prevValue=one", "", 412,
			`{"errorCode":101,"message":"Compare failed","cause":"[one != two] [1 != 13]","index":13}`},
		{"DELETE", "/foo?prevValue=two", "", 200,
			`{"action":"compareAndDelete","node":{"key":"/foo","modifiedIndex":14,"createdIndex":12},` +
				`"prevNode":{"key":"/foo","value":"two","modifiedIndex":13,"createdIndex":12}}`},
		// Directories.
		{"PUT", "/d", "dir=true", 201,
			`{"action":"set","node":{"key":"/d","dir":true,"modifiedIndex":15,"createdIndex":15}}`},
		{"PUT", "/foo_dir/foo", "value=bar", 201,
			`{"action":"set","node":{"key":"/foo_dir/foo","value":"bar","modifiedIndex":16,"createdIndex":16}}`},
		{"GET", "/", "", 200,
			`{"action":"get","node":{"dir":true,"nodes":[{"key":"/d","dir":true,"modifiedIndex":15,"createdIndex":15},` +
				`{"key":"/dir","dir":true,"expiration":"2023-11-14T22:13:50Z","ttl":30,"modifiedIndex":11,"createdIndex":10},` +
				`{"key":"/foo_dir","dir":true,"modifiedIndex":16,"createdIndex":16},` +
				`{"key":"/queue","dir":true,"modifiedIndex":8,"createdIndex":8}]}}`},
		{"GET", "/foo_dir?recursive=true", "", 200,
			`{"action":"get","node":{"key":"/foo_dir","dir":true,"nodes":[{"key":"/foo_dir/foo","value":"bar",` +
				`"modifiedIndex":16,"createdIndex":16}],"modifiedIndex":16,"createdIndex":16}}`},
		{"DELETE", "/foo_dir?dir=true", "", 403,
			`{"errorCode":108,"message":"Directory not empty","cause":"/foo_dir","index":16}`},
		{"DELETE", "/d?dir=true", "", 200,
			`{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":17,"createdIndex":15},` +
				`"prevNode":{"key":"/d","dir":true,"modifiedIndex":15,"createdIndex":15}}`},
		{"DELETE", "/foo_dir?recursive=true", "", 200,
			`{"action":"delete","node":{"key":"/foo_dir","dir":true,"modifiedIndex":18,"createdIndex":16},` +
				`"prevNode":{"key":"/foo_dir","dir":true,"modifiedIndex":16,"createdIndex":16}}`},
		// A hidden node.
		{"PUT", "/_message", "value=Hello+hidden+world", 201,
			`{"action":"set","node":{"key":"/_message","value":"Hello hidden world","modifiedIndex":19,"createdIndex":19}}`},
		{"PUT", "/message", "value=Hello+world", 201,
			`{"action":"set","node":{"key":"/message","value":"Hello world","modifiedIndex":20,"createdIndex":20}}`},
		{"DELETE", "/queue?recursive=true", "", 200,
			`{"action":"delete","node":{"key":"/queue","dir":true,"modifiedIndex":21,"createdIndex":8},` +
				`"prevNode":{"key":"/queue","dir":true,"modifiedIndex":8,"createdIndex":8}}`},
		{"DELETE", "/dir?dir=true", "", 200,
			`{"action":"delete","node":{"key":"/dir","dir":true,"modifiedIndex":22,"createdIndex":10},` +
				`"prevNode":{"key":"/dir","dir":true,"expiration":"2023-11-14T22:13:50Z","ttl":30,"modifiedIndex":11,` +
				`"createdIndex":10}}`},
		{"GET", "/", "", 200, `{"action":"get","node":{"dir":true,"nodes":[` +
			`{"key":"/message","value":"Hello world","modifiedIndex":20,"createdIndex":20}]}}`},
		{"GET", "/_message", "", 200,
			`{"action":"get","node":{"key":"/_message","value":"Hello hidden world","modifiedIndex":19,"createdIndex":19}}`},
	} {
		c.want(a.method, "/v2/keys"+a.path, a.form, a.status, a.body)
	}
}

// TestErrors: every refusal, with its code, its cause and its status.
func TestErrors(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/file", "value=1")
	c.must("PUT", "/v2/keys/dir/x", "value=1") // at index 3
	wrong := func(code, message, cause string) string {
		return `{"errorCode":` + code + `,"message":"` + message + `","cause":"` + cause + `","index":0}`
	}
	field := func(cause string) string { return wrong("209", "Invalid field", cause) }
	for _, a := range []asked{
		{"GET", "/a/b/c", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/a","index":3}`},
		{"GET", "/dir/b/c", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/dir/b","index":3}`},
		{"GET", "/file/x", "", 400, `{"errorCode":104,"message":"Not a directory","cause":"/file","index":3}`},
		{"PUT", "/file/x/y", "value=1", 400, `{"errorCode":104,"message":"Not a directory","cause":"/file","index":3}`},
		{"PUT", "/file/x?prevExist=false", "", 400,
			`{"errorCode":104,"message":"Not a directory","cause":"/file","index":3}`},
		{"POST", "/file", "", 400, `{"errorCode":104,"message":"Not a directory","cause":"/file","index":3}`},
		{"PUT", "/dir", "value=1", 403, `{"errorCode":102,"message":"Not a file","cause":"/dir","index":3}`},
		{"PUT", "/dir", "dir=true", 403, `{"errorCode":102,"message":"Not a file","cause":"/dir","index":3}`},
		{"PUT", "/dir?prevExist=true", "value=1", 403, `{"errorCode":102,"message":"Not a file","cause":"/dir","index":3}`},
		{"PUT", "/dir?prevIndex=2", "value=1", 403, `{"errorCode":102,"message":"Not a file","cause":"/dir","index":3}`},
		{"PUT", "/dir?prevExist=false", "dir=true", 412,
			`{"errorCode":105,"message":"Key already exists","cause":"/dir","index":3}`},
		{"PUT", "/no?prevExist=true", "value=1", 404, `{"errorCode":100,"message":"Key not found","cause":"/no","index":3}`},
		{"PUT", "/no?prevValue=1", "value=1", 404, `{"errorCode":100,"message":"Key not found","cause":"/no","index":3}`},
		{"PUT", "/no", "refresh=true&ttl=1", 404, `{"errorCode":100,"message":"Key not found","cause":"/no","index":3}`},
		{"DELETE", "/no", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/no","index":3}`},
		{"DELETE", "/dir", "", 403, `{"errorCode":102,"message":"Not a file","cause":"/dir","index":3}`},
		{"DELETE", "/dir?prevValue=1", "", 403, `{"errorCode":102,"message":"Not a file","cause":"/dir","index":3}`},
		{"DELETE", "?recursive=true", "", 400, `{"errorCode":107,"message":"Root is read only","cause":"/","index":3}`},
		{"DELETE", "/?prevIndex=1", "", 403, `{"errorCode":102,"message":"Not a file","index":3}`},
		{"PUT", "/", "value=1", 400, `{"errorCode":107,"message":"Root is read only","cause":"/","index":3}`},
		{"PUT", "/?prevExist=true", "", 400, `{"errorCode":107,"message":"Root is read only","cause":"/","index":3}`},
		{"PUT", "/f", "prevValue=", 400, wrong("201", "PrevValue is Required in POST form", `\"prevValue\" cannot be empty`)},
		{"PUT", "/f", "ttl=x", 400, wrong("202", "The given TTL in POST form is not a number", `invalid value for \"ttl\"`)},
		{"PUT", "/f", "ttl=9223372037", 400,
			wrong("202", "The given TTL in POST form is not a number", `invalid value for \"ttl\"`)},
		{"PUT", "/f?prevIndex=-1", "", 400,
			wrong("203", "The given index in POST form is not a number", `invalid value for \"prevIndex\"`)},
		{"GET", "/f?waitIndex=1e3", "", 400,
			wrong("203", "The given index in POST form is not a number", `invalid value for \"waitIndex\"`)},
		{"GET", "/f?recursive=2", "", 400, field(`invalid value for \"recursive\"`)},
		{"GET", "/f?sorted=", "", 400, field(`invalid value for \"sorted\"`)},
		{"GET", "/f?quorum=y", "", 400, field(`invalid value for \"quorum\"`)},
		{"GET", "/f?stream=y", "", 400, field(`invalid value for \"stream\"`)},
		{"PUT", "/f?dir=y", "", 400, field(`invalid value for \"dir\"`)},
		{"PUT", "/f?wait=y", "", 400, field(`invalid value for \"wait\"`)},
		{"PUT", "/f?wait=true", "", 400, field(`\"wait\" can only be used with GET requests`)},
		{"PUT", "/f", "noValueOnSuccess=y", 400, field(`invalid value for \"noValueOnSuccess\"`)},
		{"PUT", "/f", "prevExist=y", 400, field(`invalid value for prevExist`)},
		{"PUT", "/f", "refresh=y", 400, field(`invalid value for refresh`)},
		{"PUT", "/f", "refresh=true&value=1&ttl=1", 400,
			wrong("211", "Value provided on refresh", "A value was provided on a refresh")},
		{"PUT", "/f", "refresh=true", 400, wrong("212", "A TTL must be provided on refresh", "No TTL value set")},
		{"PUT", "/f", "%zz", 400, wrong("210", "Invalid POST form", `invalid URL escape \"%zz\"`)},
		{"PATCH", "/f", "", 405, "Method Not Allowed"},
	} {
		c.want(a.method, "/v2/keys"+a.path, a.form, a.status, a.body)
	}
	c.want("GET", "/v2/keysx", "", http.StatusNotFound, "404 page not found")
}
