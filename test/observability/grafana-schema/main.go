// Checks dashboards against the schema that Grafana publishes as Go types: every field of the dashboard, its panels, their
// options and queries has to be known there, with the type that it has there. Prints a line a fault; status 1 if there is one.
//
//	grafana-schema DASHBOARD.json...
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Panels that are part of the dashboard itself, no plugin.
const row = "row"

func main() {
	plugins.RegisterDefaultPlugins()
	status := 0
	for _, file := range os.Args[1:] {
		for _, fault := range faults(file) {
			fmt.Printf("%s: %s\n", file, fault)
			status = 1
		}
	}
	os.Exit(status)
}

func faults(file string) []string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	var read dashboard.Dashboard
	// An interface that holds no errors is not nil here: ask for their text.
	if err := read.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		found = append(found, err.Error())
	}
	if err := read.Validate(); err != nil && err.Error() != "" {
		found = append(found, err.Error())
	}
	// Options of a panel whose type is unknown are not looked at above.
	var panels struct {
		Panels []struct {
			Title string `json:"title"`
			Type  string `json:"type"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(raw, &panels); err != nil {
		return append(found, err.Error())
	}
	for _, panel := range panels.Panels {
		if _, known := cog.ConfigForPanelcfgVariant(panel.Type); !known && panel.Type != row {
			found = append(found, fmt.Sprintf("panel %q is of type %q, which is none of Grafana's", panel.Title, panel.Type))
		}
	}
	return found
}
