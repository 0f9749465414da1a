package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	yamlv3 "go.yaml.in/yaml/v3"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) flowCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "flow", Short: "Check and deploy flows", GroupID: "make"}
	cmd.AddCommand(a.flowLint(), a.flowDeploy(), a.flowList())
	return cmd
}

func (a *app) flowDeploy() *cobra.Command {
	var tenants []string
	var ends string
	var strict bool
	cmd := &cobra.Command{
		Use:   "deploy FILE... --tenant TENANT",
		Short: "Deploy BPMN files for tenants",
		Long: `Deploy BPMN files for tenants. A file that contains DFSPID is a template and is
expanded for each. The same bytes again change nothing.

A flow drawn for another engine does not say what its ends mean. A sidecar says
it: FLOW.ends.yaml beside FLOW.bpmn, or the file of --ends:

  EndEvent_ok:     {result: completed}
  EndEvent_failed: {result: failed, code: PAYER_REFUSED}

Ends it leaves out are reported as unknown, never as completed.`,
		Example: "  railhead flow deploy examples/flows/*.bpmn --tenant greenbank",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(tenants) == 0 {
				return usagef("--tenant says for whom")
			}
			if ends != "" && len(args) > 1 {
				return usagef("--ends is for one file")
			}
			t := newTable(a.out, "tenant", "flow", "version", "")
			for _, file := range args {
				xml, err := os.ReadFile(file)
				if err != nil {
					return usageError{err}
				}
				results, err := readEnds(file, ends)
				if err != nil {
					return err
				}
				ctx, cancel := a.call(cmd.Context())
				done, err := a.control().DeployFlow(ctx, &corev1.DeployFlowRequest{
					File: filepath.Base(file), Xml: xml, Ends: results, Strict: strict, Tenants: tenants, Actor: a.actor(),
				})
				cancel()
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				if a.json {
					if err := printProto(a.out, done); err != nil {
						return err
					}
					continue
				}
				for _, w := range done.GetWarnings() {
					fmt.Fprintln(a.err, problemLine(w))
				}
				for _, f := range done.GetFlows() {
					note := "new"
					if f.GetUnchanged() {
						note = "unchanged"
					}
					t.row(f.GetTenant(), f.GetFlow(), f.GetVersion(), note)
				}
			}
			if a.json {
				return nil
			}
			return t.flush()
		},
	}
	cmd.Flags().StringSliceVar(&tenants, "tenant", nil, "for these `tenants`")
	cmd.Flags().StringVar(&ends, "ends", "", "a `file` that says what the ends mean")
	cmd.Flags().BoolVar(&strict, "strict", false, "refuse when no active connector serves a job type, or the linter finds an error")
	a.reasonFlag(cmd)
	return cmd
}

// readEnds reads what the ends of a flow mean: from the file named, or from the
// sidecar beside the flow when there is one.
func readEnds(flow, named string) ([]*corev1.EndResult, error) {
	path := named
	if path == "" {
		path = sidecar(flow)
		if _, err := os.Stat(path); err != nil {
			return nil, nil
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer f.Close()
	var in yamlv3.Node // a node keeps the file's order
	if err := yamlv3.NewDecoder(f).Decode(&in); err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	if len(in.Content) != 1 || in.Content[0].Kind != yamlv3.MappingNode {
		return nil, usagef("%s: want element ids with their results", path)
	}
	pairs := in.Content[0].Content
	var out []*corev1.EndResult
	for i := 0; i+1 < len(pairs); i += 2 {
		var end struct {
			Result string `yaml:"result"`
			Code   string `yaml:"code"`
		}
		if err := pairs[i+1].Decode(&end); err != nil {
			return nil, usagef("%s: %s: %w", path, pairs[i].Value, err)
		}
		result, err := enumValue[corev1.Result](corev1.Result_value, "RESULT_", path+": "+pairs[i].Value, end.Result)
		if err != nil {
			return nil, err
		}
		if result == corev1.Result_RESULT_UNSPECIFIED || result == corev1.Result_RESULT_CANCELLED {
			return nil, usagef("%s: %s: an end is completed, failed, reversed, returned, rejected or unknown", path, pairs[i].Value)
		}
		out = append(out, &corev1.EndResult{Element: pairs[i].Value, Result: result, Code: end.Code})
	}
	return out, nil
}

// sidecar is the file beside a flow that says what its ends mean.
func sidecar(flow string) string {
	return strings.TrimSuffix(flow, filepath.Ext(flow)) + ".ends.yaml"
}

func (a *app) flowList() *cobra.Command {
	var tenant string
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the flows that are deployed",
		Example: `  railhead flow list
  railhead flow list --tenant greenbank --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list, err := a.control().ListFlows(ctx, &corev1.ListFlowsRequest{Tenant: tenant})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, list)
			}
			t := newTable(a.out, "tenant", "flow", "version", "file", "digest", "deployed")
			for _, f := range list.GetFlows() {
				if f.GetLatest() || all {
					t.row(f.GetTenant(), f.GetFlow(), f.GetVersion(), f.GetFile(), f.GetDigest()[:min(12, len(f.GetDigest()))], clockTime(f.GetDeployedMs()))
				}
			}
			return t.flush()
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "of this tenant")
	cmd.Flags().BoolVar(&all, "all", false, "older versions too")
	return cmd
}
