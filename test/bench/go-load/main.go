// Loads a link as `semlink bench link` does in its closed loop, by gRPC for Go: a load that takes little of the cores that
// the services share with it, and the same library that loads the other chains of link-peers.ts.
//
//	cd test/bench/go-load && npx buf generate ../../../proto && go build -o FILE .
//
// It prints one line of JSON with the names of `semlink bench link --json`. A stream that breaks off or an image that
// is answered by an error ends it with status 1.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	semlink "semlink.test/go-load/gen/semlink/v1"
)

type options struct {
	address, model                         string
	perMessage, inFlight, streams, k, side int
	warm, measured                         time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.address, "address", "127.0.0.1:50051", "transmitter-encoder, `HOST:PORT`")
	flag.StringVar(&o.model, "model", "", "published model; empty: the transmitter's default")
	flag.IntVar(&o.perMessage, "per-message", 1, "`images` a message")
	flag.IntVar(&o.inFlight, "in-flight", 1, "`images` of one stream that are sent and not answered")
	flag.IntVar(&o.streams, "streams", 1, "streams, each a link of its own, on one connection")
	flag.IntVar(&o.k, "k", 128, "channel uses of an image")
	flag.IntVar(&o.side, "side", 32, "width and height of an image, `pixels`")
	flag.DurationVar(&o.warm, "warm", 500*time.Millisecond, "time before measuring")
	flag.DurationVar(&o.measured, "measure", 2*time.Second, "time measured")
	flag.Parse()
	if o.perMessage < 1 || o.inFlight < o.perMessage || o.streams < 1 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "go-load: --per-message and --streams from 1, --in-flight from --per-message, nothing else")
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "go-load:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	connection, err := grpc.NewClient(o.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	context, cancel := context.WithCancel(context.Background())
	defer cancel()

	t := &tally{}
	failed := make(chan error, 2*o.streams)
	var answered sync.WaitGroup
	done := make(chan struct{})
	for i := range o.streams {
		s, err := open(context, connection, o, fmt.Sprintf("bench-%d", i), t)
		if err != nil {
			return err
		}
		answered.Add(1)
		go s.send(done, failed)
		go func() {
			defer answered.Done()
			s.receive(failed)
		}()
	}
	if err := wait(o.warm, failed); err != nil {
		return err
	}
	began, before := t.begin(), processorSeconds()
	if err := wait(o.measured, failed); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	latencies := t.end()
	spent := processorSeconds() - before
	// What was sent is answered before the streams end, so that the next measurement finds the services idle.
	close(done)
	answered.Wait()
	return json.NewEncoder(os.Stdout).Encode(report(o, latencies, t.total, seconds, spent))
}

func wait(span time.Duration, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-time.After(span):
		return nil
	}
}

func processorSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// requests makes every message of a stream once; message i holds the sequences from i*perMessage.
func requests(o options, link string) []*semlink.TransmitRequest {
	made := make([]*semlink.TransmitRequest, max(1, o.inFlight/o.perMessage))
	state := uint32(1)
	for i := range made {
		frames := make([]*semlink.ImageFrame, o.perMessage)
		for j := range frames {
			rgb := make([]byte, o.side*o.side*3)
			for at := range rgb {
				state = state*1_664_525 + 1_013_904_223
				rgb[at] = byte(state >> 24)
			}
			frames[j] = &semlink.ImageFrame{
				Header: &semlink.FrameHeader{LinkId: link, Sequence: uint64(i*o.perMessage + j), ModelVersion: o.model},
				Width:  uint32(o.side),
				Height: uint32(o.side),
				Rgb:    rgb,
			}
		}
		made[i] = &semlink.TransmitRequest{Frames: frames}
	}
	return made
}
