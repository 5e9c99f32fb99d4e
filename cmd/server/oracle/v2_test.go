package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/v2"
)

// etcd34 is an etcd that serves version 2.
const etcd34 kind = "etcd3.4"

// asker asks one server in version 2, and writes its answers without what differs between two servers.
type asker struct {
	t     *testing.T
	m     *member
	first int64 // the index of its first write
}

func newAsker(t *testing.T, k kind) *asker {
	a := &asker{t: t, m: run(t, []kind{k}, "--enable-v2")[0]}
	_, _, index := a.raw("PUT", "/v2/keys/first", "value=1")
	a.first = index
	return a
}

// raw is an answer as it is: its status with the type of its body, the body, and the index that the headers tell.
func (a *asker) raw(method, path, form string) (status, body string, index int64) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, a.m.client+path, strings.NewReader(form))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	index, _ = strconv.ParseInt(resp.Header.Get("X-Etcd-Index"), 10, 64)
	return resp.Status + " " + resp.Header.Get("Content-Type"), string(b), index
}

var (
	indexes  = regexp.MustCompile(`("modifiedIndex":|"createdIndex":|"index":|!= )([1-9]\d*)`)
	ordered  = regexp.MustCompile(`\d{20}`)
	expires  = regexp.MustCompile(`"expiration":"[^"]*"(,"ttl":\d+)?`) // which goes on while the other is asked
	relative = regexp.MustCompile(`I(\d+)`)
	compared = regexp.MustCompile(`\[(\d+) !=`)
)

// ask is an answer in which indexes are counted from the first.
func (a *asker) ask(method, path, form string) string {
	a.t.Helper()
	asked := relative.ReplaceAllStringFunc(path, func(s string) string { return a.absolute(s[1:]) })
	status, body, index := a.raw(method, asked, form)
	if asked != path {
		body = compared.ReplaceAllStringFunc(body, func(s string) string {
			return "[+" + a.counted(compared.FindStringSubmatch(s)[1]) + " !="
		})
	}
	body = indexes.ReplaceAllStringFunc(body, func(s string) string {
		m := indexes.FindStringSubmatch(s)
		return m[1] + "+" + a.counted(m[2])
	})
	body = ordered.ReplaceAllStringFunc(body, func(s string) string { return "in-order-" + a.counted(s) })
	body = expires.ReplaceAllString(body, `"expiration":"soon","ttl":"so long"`)
	if index != 0 {
		index -= a.first
	}
	return fmt.Sprintf("%s %d %s", status, index, sorted(body))
}

func (a *asker) absolute(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprint(n + a.first)
}

func (a *asker) counted(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprint(n - a.first)
}

var nodes = regexp.MustCompile(`"nodes":\[`)

// sorted writes lists of nodes in the order of their keys, which etcd does not keep where nobody asks for it.
func sorted(body string) string {
	if !nodes.MatchString(body) {
		return body
	}
	var event map[string]any
	if json.Unmarshal([]byte(strings.NewReplacer(`:+`, `:`, `:-`, `:`).Replace(body)), &event) != nil {
		return body
	}
	var visit func(v any)
	visit = func(v any) {
		m, _ := v.(map[string]any)
		for _, v := range m {
			visit(v)
			list, _ := v.([]any)
			for _, v := range list {
				visit(v)
			}
			slices.SortFunc(list, func(a, b any) int {
				return strings.Compare(a.(map[string]any)["key"].(string), b.(map[string]any)["key"].(string))
			})
		}
	}
	visit(event)
	b, err := json.Marshal(event)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestVersion2SaysTheSame: the answers to all requests of a script, and what who waits is told of each index
// afterwards.
func TestVersion2SaysTheSame(t *testing.T) {
	processes(t)
	script, err := os.ReadFile("testdata/v2-asks")
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := newAsker(t, etcd34), newAsker(t, vitrine)
	same := func(method, path, form string) {
		t.Helper()
		if want, got := theirs.ask(method, path, form), ours.ask(method, path, form); want != got {
			t.Errorf("%s %s %s\netcd %s\nours %s", method, path, form, want, got)
		}
	}
	for line := range strings.Lines(string(script)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		words := strings.SplitN(line+"  ", " ", 3)
		same(words[0], words[1], strings.TrimSpace(words[2]))
	}
	_, _, last := ours.raw("PUT", "/v2/keys/last", "value=1")
	theirs.raw("PUT", "/v2/keys/last", "value=1")
	for i := range last - ours.first {
		same("GET", fmt.Sprintf("/v2/keys?wait=true&recursive=true&waitIndex=I%d", i), "")
	}
	for _, path := range []string{"/foo", "/dir", "/dir/b", "/dir/b/c", "/file/x", "/file", "/w/x",
		"/long/a/b/c/d/e/f/g"} {
		for _, recursive := range []string{"", "&recursive=true"} {
			same("GET", "/v2/keys"+path+"?wait=true&waitIndex=I0"+recursive, "")
		}
	}
	same("GET", "/v2/keys/q?wait=true&recursive=true&waitIndex=I0", "")
}

// TestVersion2AnswersAlikeAtRandom: hundreds of requests about few nodes, so that most of them meet what others have
// left, and what who waits is told of them.
func TestVersion2AnswersAlikeAtRandom(t *testing.T) {
	processes(t)
	theirs, ours := newAsker(t, etcd34), newAsker(t, vitrine)
	same := func(method, path, form string) string {
		t.Helper()
		want, got := theirs.ask(method, path, form), ours.ask(method, path, form)
		if want != got {
			t.Fatalf("%s %s %s\netcd %s\nours %s", method, path, form, want, got)
		}
		return got
	}
	dice := rand.New(rand.NewPCG(34, 37))
	one := func(of ...string) string { return of[dice.IntN(len(of))] }
	statuses := map[string]int{}
	for range 600 {
		path := "/v2/keys"
		for range 1 + dice.IntN(3) {
			path += "/" + one("a", "b", "_c", "a.b")
		}
		method, form := one("GET", "PUT", "PUT", "PUT", "POST", "DELETE"), ""
		query := []string{one("", "recursive=true"), one("", "dir=true"), one("", "", "", "prevValue="+one("x", "y", "z")),
			one("", "", "", "", fmt.Sprint("prevIndex=I", dice.IntN(9)))}
		switch method {
		case "GET":
			query = []string{one("", "recursive=true"), one("", "quorum=true"), "sorted=true"}
		case "PUT":
			if prev := one("", "", "", "prevExist=false", "prevExist=true"); prev != "prevExist=true" || query[1] == "" {
				query = append(query, prev)
			}
			form = one("value=x", "value=y", "value=z", "value=z&ttl=1000", "ttl=1000&refresh=true")
		case "POST":
			form = "value=" + one("x", "y")
		}
		query = slices.DeleteFunc(query, func(s string) bool { return s == "" })
		if method == "PUT" && slices.Contains(query, "prevExist=true") && form == "ttl=1000&refresh=true" {
			continue // of a directory: etcd forgets that it was changed
		}
		statuses[method+" "+strings.Fields(same(method, path+"?"+strings.Join(query, "&"), form))[0]]++
	}
	for _, status := range []string{"GET 200", "GET 404", "PUT 200", "PUT 201", "PUT 403", "PUT 412", "POST 201",
		"DELETE 200", "DELETE 403", "DELETE 404"} {
		if statuses[status] == 0 {
			t.Errorf("there was no %s among %v", status, statuses)
		}
	}
	_, _, last := ours.raw("PUT", "/v2/keys/last", "value=1")
	theirs.raw("PUT", "/v2/keys/last", "value=1")
	for i := range last - ours.first {
		same("GET", fmt.Sprintf("/v2/keys?wait=true&recursive=true&waitIndex=I%d", i), "")
	}
}

// TestVersion2HasTheSamePaths: what there is besides keys has the same fields, whatever the figures are.
func TestVersion2HasTheSamePaths(t *testing.T) {
	processes(t)
	theirs, ours := newAsker(t, etcd34), newAsker(t, vitrine)
	for _, path := range []string{"/v2/stats/self", "/v2/stats/store", "/v2/stats/leader", "/v2/members",
		"/v2/members/leader"} {
		var fields [2][]string
		for i, a := range []*asker{theirs, ours} {
			status, body, _ := a.raw("GET", path, "")
			var v map[string]any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatalf("%s: %v\n%s", path, err, body)
			}
			fields[i] = append(fieldsOf("", v), status)
		}
		if !reflect.DeepEqual(fields[0], fields[1]) {
			t.Errorf("%s\netcd %q\nours %q", path, fields[0], fields[1])
		}
	}
	for _, a := range []*asker{theirs, ours} {
		if _, body, _ := a.raw("GET", "/v2/machines", ""); body != a.m.client {
			t.Errorf("machines: %q", body)
		}
	}
}

// fieldsOf names the fields of an object, and of the objects in it.
func fieldsOf(prefix string, v any) (names []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			names = append(append(names, prefix+"."+name), fieldsOf(prefix+"."+name, inner)...)
		}
	case []any:
		for _, inner := range v {
			names = append(names, fieldsOf(prefix+"[]", inner)...)
		}
	}
	slices.Sort(names)
	return names
}

// oldClient is etcd's own client of version 2.
func oldClient(t *testing.T, members ...*member) client.Client {
	t.Helper()
	var urls []string
	for _, m := range members {
		urls = append(urls, m.client)
	}
	c, err := client.New(client.Config{Endpoints: urls, HeaderTimeoutPerRequest: callTimeout})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code is that of an error of version 2, 0 if it is none.
func code(err error) int {
	var e client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// TestOldClient: etcd's own client of version 2 keeps its keys with us.
func TestOldClient(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine}, "--enable-v2")
	c := oldClient(t, members...)
	if err := c.Sync(call(t)); err != nil {
		t.Fatal(err)
	}
	if endpoints := c.Endpoints(); len(endpoints) != 3 {
		t.Errorf("endpoints %q", endpoints)
	}
	k := client.NewKeysAPI(c)
	quorum := &client.GetOptions{Quorum: true, Recursive: true, Sort: true}
	must := func(r *client.Response, err error) *client.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	made := must(k.Create(call(t), "/d/a", "1"))
	if made.Action != "create" || made.Node.CreatedIndex != made.Index {
		t.Errorf("created: %+v of %+v", made.Node, made)
	}
	if _, err := k.Create(call(t), "/d/a", "1"); code(err) != client.ErrorCodeNodeExist {
		t.Errorf("created twice: %v", err)
	}
	updated := must(k.Update(call(t), "/d/a", "2"))
	if updated.PrevNode.Value != "1" || updated.Node.CreatedIndex != made.Index {
		t.Errorf("updated: %+v", updated.Node)
	}
	_, err := k.Set(call(t), "/d/a", "3", &client.SetOptions{PrevIndex: made.Index})
	if code(err) != client.ErrorCodeTestFailed {
		t.Errorf("swapped: %v", err)
	}
	must(k.Set(call(t), "/d/a", "3", &client.SetOptions{PrevIndex: updated.Index, PrevValue: "2"}))
	must(k.Set(call(t), "/d/sub", "", &client.SetOptions{Dir: true}))
	for i := range 3 {
		must(k.CreateInOrder(call(t), "/q", fmt.Sprint(i), nil))
	}
	queue := must(k.Get(call(t), "/q", quorum)).Node.Nodes
	if len(queue) != 3 || queue[0].Value != "0" || queue[2].Value != "2" {
		t.Errorf("a queue of %v", queue)
	}
	if all := must(k.Get(call(t), "/", quorum)).Node.Nodes; len(all) != 2 || len(all[0].Nodes) != 2 {
		t.Errorf("all: %v", all)
	}
	if _, err = k.Delete(call(t), "/d", &client.DeleteOptions{Dir: true}); code(err) != client.ErrorCodeDirNotEmpty {
		t.Errorf("deleted: %v", err)
	}
	_, err = k.Delete(call(t), "/d/a", &client.DeleteOptions{PrevValue: "x"})
	if code(err) != client.ErrorCodeTestFailed {
		t.Errorf("deleted if: %v", err)
	}
	must(k.Delete(call(t), "/d/a", &client.DeleteOptions{PrevValue: "3"}))
	must(k.Delete(call(t), "/d", &client.DeleteOptions{Recursive: true}))
	if _, err = k.Get(call(t), "/d/a", quorum); code(err) != client.ErrorCodeKeyNotFound {
		t.Errorf("gone: %v", err)
	}
}

// TestOldClientWatches: from an index on, one event after the other, to the end of a time to live.
func TestOldClientWatches(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine}, "--enable-v2")
	k := client.NewKeysAPI(oldClient(t, members...))
	first, err := k.Set(call(t), "/d/a", "1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() (*client.Response, error){
		func() (*client.Response, error) { return k.Set(call(t), "/other", "x", nil) },
		func() (*client.Response, error) {
			return k.Set(call(t), "/d/t", "2", &client.SetOptions{TTL: 2 * time.Second})
		},
		func() (*client.Response, error) {
			return k.Set(call(t), "/d/t", "", &client.SetOptions{TTL: 3 * time.Second, Refresh: true,
				PrevExist: client.PrevExist})
		},
		func() (*client.Response, error) { return k.Delete(call(t), "/d/a", nil) },
	} {
		if _, err := do(); err != nil {
			t.Fatal(err)
		}
	}
	w := k.Watcher("/d", &client.WatcherOptions{AfterIndex: first.Index - 1, Recursive: true})
	var told []string
	for range 4 {
		r, err := w.Next(call(t))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, r.Action+" "+r.Node.Key)
	}
	want := []string{"set /d/a", "set /d/t", "delete /d/a", "expire /d/t"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestOldClientChangesMembers: a member comes, changes its URL and goes.
func TestOldClientChangesMembers(t *testing.T) {
	processes(t)
	api := client.NewMembersAPI(oldClient(t, run(t, []kind{vitrine, vitrine, vitrine}, "--enable-v2")...))
	addresses := freeAddresses(t, 2)
	added, err := api.Add(call(t), "http://"+addresses[0])
	for deadline := time.Now().Add(readyTimeout); err != nil; added, err = api.Add(call(t), "http://"+addresses[0]) {
		if time.Now().After(deadline) { // the members have to be connected for a while
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := api.Add(call(t), added.PeerURLs[0]); err == nil {
		t.Error("added twice")
	}
	list, err := api.List(call(t))
	if err != nil || len(list) != 4 {
		t.Fatalf("%v %v", list, err)
	}
	if err := api.Update(call(t), added.ID, []string{"http://" + addresses[1]}); err != nil {
		t.Error(err)
	}
	if err := api.Remove(call(t), added.ID); err != nil {
		t.Error(err)
	}
	if list, err = api.List(call(t)); err != nil || len(list) != 3 {
		t.Errorf("%v %v", list, err)
	}
	if leader, err := api.Leader(call(t)); err != nil || leader.Name == "" {
		t.Errorf("%v %v", leader, err)
	}
	if err := api.Remove(call(t), added.ID); err != nil { // which is Gone, and as good
		t.Errorf("removed twice: %v", err)
	}
	if err := api.Remove(call(t), "123"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("removed a stranger: %v", err)
	}
}
