package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	yamlv3 "go.yaml.in/yaml/v3"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) tenantCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "tenant", Short: "Configure the institutions that use the hub", GroupID: "work"}
	cmd.AddCommand(a.tenantPut(), a.tenantList())
	return cmd
}

// tenantFile is a tenant as a file says it. Config is the connectors' part, see
// core/connector for its schema.
type tenantFile struct {
	ID      string `yaml:"id"`
	Name    string `yaml:"name"`
	Aliases []struct {
		Kind  string `yaml:"kind"`
		Value string `yaml:"value"`
	} `yaml:"aliases"`
	Config      map[string]any `yaml:"config"`
	RetentionMs int64          `yaml:"retention_ms"`
	BufferedMax uint32         `yaml:"buffered_max"`
}

// readTenant reads a tenant's file, YAML or JSON. An unknown key is an error: it
// would otherwise be a setting that silently does nothing.
func readTenant(path string) (*corev1.Tenant, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer f.Close()
	var in tenantFile
	d := yamlv3.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&in); err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	config, err := json.Marshal(in.Config)
	if err != nil {
		return nil, usagef("%s: config: %w", path, err)
	}
	t := &corev1.Tenant{
		Id: in.ID, Name: in.Name, Config: string(config),
		RetentionMs: in.RetentionMs, BufferedMax: in.BufferedMax,
	}
	for _, alias := range in.Aliases {
		t.Aliases = append(t.Aliases, &corev1.Alias{Kind: alias.Kind, Value: alias.Value})
	}
	return t, nil
}

func (a *app) tenantPut() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Create a tenant, or replace its configuration",
		Long: `Create a tenant, or replace its configuration, from a YAML or JSON file:

  id: greenbank
  name: Green Bank
  aliases:
    - {kind: fsp_id, value: greenbank}
  config:
    connectors:
      bank:
        endpoints:
          ledger: {url: "http://127.0.0.1:8401", mode: keyed, allow: [127.0.0.1/32]}

Secrets stand in it by reference only: {{secret:bank_token}}.`,
		Example: "  railhead tenant put greenbank.yaml --reason 'new bank'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tenant, err := readTenant(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			if _, err := a.control().PutTenant(ctx, &corev1.PutTenantRequest{Tenant: tenant, Actor: a.actor()}); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]string{"tenant": tenant.GetId()})
			}
			fmt.Fprintf(a.out, "tenant %s is configured\n", tenant.GetId())
			return nil
		},
	}
	a.reasonFlag(cmd)
	return cmd
}

func (a *app) tenantList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tenants",
		Example: `  railhead tenant list
  railhead tenant list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list, err := a.control().ListTenants(ctx, &corev1.ListTenantsRequest{})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, list)
			}
			t := newTable(a.out, "tenant", "name", "aliases", "version")
			for _, tenant := range list.GetTenants() {
				aliases := make([]string, 0, len(tenant.GetAliases()))
				for _, alias := range tenant.GetAliases() {
					aliases = append(aliases, alias.GetKind()+"="+alias.GetValue())
				}
				t.row(tenant.GetId(), tenant.GetName(), strings.Join(aliases, " "), tenant.GetVersion())
			}
			return t.flush()
		},
	}
}

// reasonFlag lets an administrative act say why, for the audit topic.
func (a *app) reasonFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.reason, "reason", "", "why, for the audit topic")
}
