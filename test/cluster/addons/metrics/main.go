// prometheus-adapter as far as HorizontalPodAutoscalers need it: serves the custom metrics that its rules make of a Prometheus.
// Its own program (cmd/adapter of sigs.k8s.io/prometheus-adapter 0.12.0) does not build with the Kubernetes of today. For tests
// alone.
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/server"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	definitions "sigs.k8s.io/prometheus-adapter/pkg/api/generated/openapi"
	"sigs.k8s.io/prometheus-adapter/pkg/client"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
	provider "sigs.k8s.io/prometheus-adapter/pkg/custom-provider"
	"sigs.k8s.io/prometheus-adapter/pkg/naming"
)

// A Prometheus that is asked without a time limit: the one that prometheus-adapter makes of a deadline is negative.
type patient struct{ client.Client }

func (one patient) Query(ctx context.Context, at model.Time, query client.Selector) (client.QueryResult, error) {
	return one.Client.Query(context.WithoutCancel(ctx), at, query)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	adapter := &cmd.AdapterBase{Name: "prometheus-adapter"}
	prometheus := adapter.Flags().String("prometheus-url", "", "where Prometheus is")
	file := adapter.Flags().String("config", "", "rules")
	relist := adapter.Flags().Duration("metrics-relist-interval", 10*time.Second, "how often it is asked which metrics there are")
	if err := adapter.Flags().Parse(os.Args); err != nil {
		return err
	}
	namer := openapi.NewDefinitionNamer(apiserver.Scheme)
	adapter.OpenAPIConfig = server.DefaultOpenAPIConfig(definitions.GetOpenAPIDefinitions, namer)
	adapter.OpenAPIV3Config = server.DefaultOpenAPIV3Config(definitions.GetOpenAPIDefinitions, namer)

	rules, err := config.FromFile(*file)
	if err != nil {
		return err
	}
	address, err := url.Parse(*prometheus)
	if err != nil {
		return err
	}
	mapper, err := adapter.RESTMapper()
	if err != nil {
		return err
	}
	kubernetes, err := adapter.DynamicClient()
	if err != nil {
		return err
	}
	namers, err := naming.NamersFromConfig(rules.Rules, mapper)
	if err != nil {
		return err
	}
	api := patient{client.NewClientForAPI(client.NewGenericAPIClient(http.DefaultClient, address, nil), http.MethodGet)}
	metrics, runner := provider.NewPrometheusProvider(mapper, kubernetes, api, namers, *relist, 5*time.Minute)
	stopped := server.SetupSignalContext()
	runner.RunUntil(stopped.Done())
	adapter.WithCustomMetrics(metrics)
	return adapter.Run(stopped)
}
