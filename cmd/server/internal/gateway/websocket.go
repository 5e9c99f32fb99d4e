package gateway

import (
	"bufio"
	"context"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
)

// serveWebSocket turns a WebSocket into a request on the same path: what the client says becomes the body, a line for
// each text, and each line of the answer becomes a text. A token comes as Sec-WebSocket-Protocol "Bearer, TOKEN", since
// pages can set no other header, or as a cookie.
func (g *Gateway) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	var header http.Header
	protocol := r.Header.Get("Sec-WebSocket-Protocol")
	if strings.HasPrefix(protocol, "Bearer") {
		header = http.Header{"Sec-WebSocket-Protocol": {"Bearer"}}
	}
	conn, err := g.up.Upgrade(w, r, header)
	if err != nil {
		g.log.Warn("error upgrading websocket", zap.Error(err))
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	bodyR, bodyW := io.Pipe()
	answerR, answerW := io.Pipe()
	defer context.AfterFunc(ctx, func() {
		bodyW.CloseWithError(io.EOF)
		answerW.CloseWithError(io.EOF)
		conn.Close() // wakes what reads
	})()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL.String(), bodyR)
	if err != nil {
		g.log.Warn("error preparing request", zap.Error(err))
		return
	}
	copyHeaders(request.Header, r, protocol)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	parts.Go(func() {
		defer answerW.Close()
		g.mux.ServeHTTP(&lines{to: answerW, header: http.Header{}}, request)
	})
	parts.Go(func() {
		defer cancel()
		g.hear(conn, bodyW)
	})
	g.say(conn, answerR)
}

// copyHeaders passes on who asks, and from which page.
func copyHeaders(to http.Header, r *http.Request, protocol string) {
	if protocol != "" {
		_, token, _ := strings.Cut(protocol, "Bearer,")
		if token = strings.TrimSpace(token); token != "" {
			token = "Bearer " + token
		}
		to.Set("Authorization", token)
	}
	for _, name := range []string{"Origin", "Referer"} {
		if v := r.Header.Get(name); v != "" {
			to.Set(name, v)
		}
	}
	if cookie, err := r.Cookie("token"); err == nil {
		to.Set("Authorization", "Bearer "+cookie.Value)
	}
}

// hear writes what the client says into the body.
func (g *Gateway) hear(conn *websocket.Conn, body io.Writer) {
	conn.SetReadLimit(g.bound)
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if _, err := body.Write(append(text, '\n')); err != nil {
			return
		}
	}
}

// say writes the lines of the answer.
func (g *Gateway) say(conn *websocket.Conn, answer io.Reader) {
	scanner := bufio.NewScanner(answer)
	scanner.Buffer(make([]byte, 0, 64<<10), math.MaxInt32)
	for scanner.Scan() {
		if len(scanner.Bytes()) == 0 {
			continue
		}
		if conn.WriteMessage(websocket.TextMessage, scanner.Bytes()) != nil {
			return
		}
	}
	if err := scanner.Err(); err != nil {
		g.log.Warn("cannot pass on an answer over a websocket", zap.Error(err))
	}
}

// lines is the response of the request that a WebSocket stands for.
type lines struct {
	to     io.Writer
	header http.Header
}

func (l *lines) Header() http.Header         { return l.header }
func (l *lines) WriteHeader(int)             {}
func (l *lines) Flush()                      {}
func (l *lines) Write(b []byte) (int, error) { return l.to.Write(b) }
