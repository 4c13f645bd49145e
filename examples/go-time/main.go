// Command go-time is the time service in Go. Under Midflight it serves on the socket that it inherits by the protocol of
// systemd (LISTEN_FDS, the first one is descriptor 3); alone it listens by itself.
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
	"strconv"
	"syscall"
	"time"
)

const (
	firstInherited = 3
	drainTimeout   = 20 * time.Second
)

func format(t time.Time) string {
	return t.UTC().Format(time.RFC3339)
}

func main() {
	listener, err := listen()
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(tell)}
	done := make(chan struct{})
	go drainOnSignal(server, done)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-done
}

func tell(response http.ResponseWriter, request *http.Request) {
	fmt.Fprintf(response, "%s (process %d)\n", format(time.Now()), os.Getpid())
}

// listen takes the inherited socket where there is one for this very process.
func listen() (net.Listener, error) {
	count, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if count > 0 && os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		return net.FileListener(os.NewFile(firstInherited, "listener"))
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	return net.Listen("tcp", "127.0.0.1:"+port)
}

// drainOnSignal stops accepting at SIGTERM or SIGINT and lets the requests in flight end.
func drainOnSignal(server *http.Server, done chan<- struct{}) {
	defer close(done)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	deadline, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		log.Print(err)
	}
}
