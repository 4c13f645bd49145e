// The service of the benchmark of taking over, as the example of tableflip has it: SIGHUP starts the new process.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
)

func main() {
	upg, err := tableflip.New(tableflip.Options{PIDFile: "tableflip.pid"})
	must(err)
	defer upg.Stop()

	go func() {
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		for range hangups {
			if err := upg.Upgrade(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()

	version, err := os.ReadFile("version")
	must(err)
	drain, err := time.ParseDuration(os.Getenv("DRAIN_MS") + "ms")
	must(err)
	listener, err := upg.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	must(err)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-version", string(version))
		fmt.Fprintf(w, `{"version":"%s","versionAfter":"%s"}`, version, version)
	})}
	go server.Serve(listener)

	must(upg.Ready())
	<-upg.Exit()
	deadline, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	server.Shutdown(deadline)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
