package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	semlink "semlink.test/go-load/gen/semlink/v1"
)

const transmit = "/semlink.v1.TransmitterEncoderService/Transmit"

// stream is one link's load: some messages made beforehand, each sent again once it has been answered.
type stream struct {
	call       grpc.ClientStream
	perMessage int
	messages   []*semlink.TransmitRequest
	since      []time.Time
	unanswered []int
	free       chan int
	tally      *tally
}

func open(ctx context.Context, connection *grpc.ClientConn, o options, link string, t *tally) (*stream, error) {
	description := &grpc.StreamDesc{StreamName: "Transmit", ServerStreams: true, ClientStreams: true}
	call, err := connection.NewStream(ctx, description, transmit)
	if err != nil {
		return nil, err
	}
	policy := &semlink.LinkPolicy{
		LinkId: link,
		Policy: &semlink.LinkPolicy_Fixed{Fixed: &semlink.FixedPolicy{ChannelUses: uint32(o.k)}},
	}
	if err := call.SendMsg(&semlink.TransmitRequest{Policies: []*semlink.LinkPolicy{policy}}); err != nil {
		return nil, err
	}
	messages := requests(o, link)
	s := &stream{
		call:       call,
		perMessage: o.perMessage,
		messages:   messages,
		since:      make([]time.Time, len(messages)),
		unanswered: make([]int, len(messages)),
		free:       make(chan int, len(messages)),
		tally:      t,
	}
	for i := range messages {
		s.free <- i
	}
	return s, nil
}

// send sends every message that is free until it is told to stop, then says that nothing more comes.
func (s *stream) send(done <-chan struct{}, failed chan<- error) {
	for {
		select {
		case <-done:
			if err := s.call.CloseSend(); err != nil {
				failed <- err
			}
			return
		case i := <-s.free:
			now := time.Now()
			s.since[i], s.unanswered[i] = now, s.perMessage
			for _, frame := range s.messages[i].Frames {
				frame.Header.CaptureTimeUnixNano = uint64(now.UnixNano())
			}
			if err := s.call.SendMsg(s.messages[i]); err != nil {
				failed <- err
				return
			}
		}
	}
}

// receive takes answers until the stream ends. A message belongs to one of the two sides at a time: `free` hands it over.
func (s *stream) receive(failed chan<- error) {
	for {
		var response semlink.TransmitResponse
		if err := s.call.RecvMsg(&response); err != nil {
			if !errors.Is(err, io.EOF) {
				failed <- err
			}
			return
		}
		now := time.Now()
		for _, result := range response.Results {
			if why := result.GetError(); why != nil {
				failed <- fmt.Errorf("%s: %s", why.Origin, why.Message)
				return
			}
			i := int(result.Sequence) / s.perMessage
			s.tally.add(now.Sub(s.since[i]))
			if s.unanswered[i]--; s.unanswered[i] == 0 {
				s.free <- i
			}
		}
	}
}
