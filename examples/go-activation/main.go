// Command go-activation is an HTTP server that takes its sockets from systemd, or from whoever speaks that protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/activation"
)

const (
	version = "1"
	// How long a client may keep an idle connection before it asks again.
	lameDuck     = 2 * time.Second
	drainTimeout = 20 * time.Second
)

// isLeaving is set at SIGTERM: from then on each answer is the last one of its connection.
var isLeaving atomic.Bool

func main() {
	listeners, err := activation.Listeners()
	if err != nil || len(listeners) == 0 {
		log.Fatalf("no inherited socket: %v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	done := make(chan struct{})
	go drainOnSignal(server, listeners[0], done)
	if err := server.Serve(listeners[0]); !isLeaving.Load() {
		log.Fatal(err)
	}
	<-done
}

func answer(response http.ResponseWriter, request *http.Request) {
	if isLeaving.Load() {
		response.Header().Set("Connection", "close")
	}
	if pause, err := time.ParseDuration(request.URL.Query().Get("ms") + "ms"); err == nil {
		time.Sleep(pause)
	}
	fmt.Fprintf(response, "{\"version\":%q,\"versionAfter\":%q,\"pid\":%d}\n", version, version, os.Getpid())
}

// drainOnSignal stops accepting, answers on for a while, and ends. Shutdown alone closes idle connections at once, also the one
// on which the next request is under way.
func drainOnSignal(server *http.Server, listener net.Listener, done chan<- struct{}) {
	defer close(done)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	isLeaving.Store(true)
	listener.Close()
	time.Sleep(lameDuck)
	deadline, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil && !errors.Is(err, net.ErrClosed) {
		log.Print(err)
	}
}
