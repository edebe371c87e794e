package main

import (
	"slices"
	"sync"
	"time"
)

// tally collects latencies between begin and end, from all streams, and counts all answers.
type tally struct {
	mutex     sync.Mutex
	measuring bool
	latencies []time.Duration
	total     int
}

func (t *tally) begin() time.Time {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.measuring = true
	return time.Now()
}

func (t *tally) end() []time.Duration {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.measuring = false
	return t.latencies
}

func (t *tally) add(latency time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.total++
	if t.measuring {
		t.latencies = append(t.latencies, latency)
	}
}

// measurement has the names of `semlink bench link --json`.
type measurement struct {
	ImagesPerMessage int                `json:"images_per_message"`
	InFlight         int                `json:"in_flight"`
	Streams          int                `json:"streams"`
	Images           int                `json:"images"`
	ImagesPerSecond  float64            `json:"images_per_second"`
	LatencyMs        map[string]float64 `json:"latency_ms"`
	LoadUs           float64            `json:"load_us"`
	// Answers in all, warm-up and end included.
	TotalImages int `json:"total_images"`
}

func report(o options, latencies []time.Duration, total int, seconds, processor float64) measurement {
	slices.Sort(latencies)
	ms := func(q float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return float64(latencies[int(q*float64(len(latencies)-1))].Microseconds()) / 1e3
	}
	images := len(latencies)
	return measurement{
		ImagesPerMessage: o.perMessage,
		InFlight:         o.inFlight,
		Streams:          o.streams,
		Images:           images,
		ImagesPerSecond:  float64(images) / seconds,
		LatencyMs:        map[string]float64{"p50": ms(0.5), "p90": ms(0.9), "p99": ms(0.99), "p99.9": ms(0.999), "max": ms(1)},
		LoadUs:           processor / float64(max(images, 1)) * 1e6,
		TotalImages:      total,
	}
}
