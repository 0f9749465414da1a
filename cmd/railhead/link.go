package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) linkCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "link", Short: "See to connectors' TCP links and what is queued for them", GroupID: "work",
		Long: `See to connectors' TCP links and what is queued for them. A link is named
TENANT/CONNECTOR/LINK, as "railhead link list" shows it.

A forwarded frame is sent until the other side has acknowledged it, in the order of
the link's queue. One that was not acknowledged in time is parked: the others go on,
and "release" lines it up again at the end, while "drop" gives it up.`,
	}
	cmd.AddCommand(a.linkList(), a.linkQueue(), a.linkRelease(), a.linkDrop())
	return cmd
}

// linkName is a link as the command line names it.
type linkName struct{ tenant, connector, link string }

func (n linkName) String() string { return n.tenant + "/" + n.connector + "/" + n.link }

func linkArg(text string) (linkName, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return linkName{}, usagef("LINK is TENANT/CONNECTOR/LINK, not %q", text)
	}
	return linkName{parts[0], parts[1], parts[2]}, nil
}

func (a *app) linkList() *cobra.Command {
	request := &corev1.ListLinksRequest{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List links and how they stand",
		Example: `  railhead link list
  railhead link list --tenant greenbank --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list, err := a.control().ListLinks(ctx, request)
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, list)
			}
			t := newTable(a.out, "link", "address", "state", "since", "in", "out", "outstanding", "waiting", "parked", "reason")
			for _, l := range list.GetLinks() {
				t.row(linkName{l.GetTenant(), l.GetConnector(), l.GetLink()}, linkAddress(l), l.GetState(), clockTime(l.GetSinceMs()),
					l.GetFramesIn(), l.GetFramesOut(), l.GetOutstanding(), l.GetWaiting(), l.GetParked(), l.GetReason())
			}
			return t.flush()
		},
	}
	cmd.Flags().StringVar(&request.Tenant, "tenant", "", "of this tenant")
	return cmd
}

func linkAddress(l *corev1.LinkInfo) string {
	if l.GetListens() {
		return "on " + l.GetAddress()
	}
	return l.GetAddress()
}

func (a *app) linkQueue() *cobra.Command {
	var limit int
	request := &corev1.ListForwardsRequest{}
	cmd := &cobra.Command{
		Use:   "queue LINK",
		Short: "List the frames in a link's queue, the oldest first",
		Long: `List the frames in a link's queue, the oldest first: those that wait to be
acknowledged, and those that are parked. What a frame says is not shown.`,
		Example: `  railhead link queue greenbank/cards/network
  railhead link queue greenbank/cards/network --parked --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := linkArg(args[0])
			if err != nil {
				return err
			}
			if limit < 1 {
				return usagef("--limit is a number from 1, not %d", limit)
			}
			request.Tenant, request.Connector, request.Link = name.tenant, name.connector, name.link
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list := &corev1.ListForwardsResponse{}
			for {
				request.PageSize = uint32(min(limit-len(list.GetFrames()), 1000))
				page, err := a.control().ListForwards(ctx, request)
				if err != nil {
					return err
				}
				list.Frames, list.More = append(list.GetFrames(), page.GetFrames()...), page.GetMore()
				if !list.GetMore() || len(list.GetFrames()) >= limit || len(page.GetFrames()) == 0 {
					break
				}
				request.After = list.GetFrames()[len(list.GetFrames())-1].GetN()
			}
			if a.json {
				return printProto(a.out, list)
			}
			t := newTable(a.out, "frame", "key", "bytes", "queued", "until", "state", "payment", "reason")
			for _, f := range list.GetFrames() {
				t.row(f.GetN(), f.GetKey(), f.GetSizeBytes(), clockTime(f.GetQueuedMs()), clockTime(f.GetUntilMs()),
					f.GetState(), f.GetPayment(), f.GetReason())
			}
			if err := t.flush(); err != nil {
				return err
			}
			if list.GetMore() {
				fmt.Fprintln(a.err, "there are more: raise --limit")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&request.Parked, "parked", false, "only those that are parked")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many")
	cmd.ValidArgsFunction = a.completes(a.links)
	return cmd
}

func (a *app) linkRelease() *cobra.Command {
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "release LINK FRAME",
		Short: "Line a parked frame up again, at the end of the queue",
		Example: `  railhead link release greenbank/cards/network 17 --reason 'the network is back'
  railhead link release greenbank/cards/network 17 --within 12h --reason 'agreed with the network'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &corev1.ReleaseForwardRequest{}
			if within < 0 {
				return usagef("--within is not negative")
			}
			if within > 0 {
				request.UntilMs = time.Now().Add(within).UnixMilli()
			}
			return a.releaseForward(cmd, args, request)
		},
	}
	cmd.Flags().DurationVar(&within, "within", 0, "how long it is sent until it is parked again; 0: three days")
	return a.frameVerb(cmd)
}

func (a *app) linkDrop() *cobra.Command {
	return a.frameVerb(&cobra.Command{
		Use:     "drop LINK FRAME",
		Short:   "Give a parked frame up: it is never sent again",
		Example: "  railhead link drop greenbank/cards/network 17 --reason 'settled by telephone'",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.releaseForward(cmd, args, &corev1.ReleaseForwardRequest{Drop: true})
		},
	})
}

// frameVerb finishes a verb about a parked frame: it needs a reason, as a repair does.
func (a *app) frameVerb(cmd *cobra.Command) *cobra.Command {
	cmd = a.repair(cmd)
	cmd.ValidArgsFunction = a.completes(a.links, a.parked)
	return cmd
}

func (a *app) releaseForward(cmd *cobra.Command, args []string, request *corev1.ReleaseForwardRequest) error {
	name, err := linkArg(args[0])
	if err != nil {
		return err
	}
	n, err := numberArg("FRAME", args[1])
	if err != nil {
		return err
	}
	request.Tenant, request.Connector, request.Link, request.N = name.tenant, name.connector, name.link, uint64(n)
	request.Actor = a.actor()
	ctx, cancel := a.call(cmd.Context())
	defer cancel()
	released, err := a.control().ReleaseForward(ctx, request)
	switch {
	case err != nil:
		return err
	case a.json:
		return printProto(a.out, released)
	case request.Drop:
		fmt.Fprintf(a.out, "frame %d of %s is dropped\n", n, name)
	default:
		fmt.Fprintf(a.out, "frame %d of %s is lined up again, as %d\n", n, name, released.GetN())
	}
	return nil
}

// links completes the names of links.
func (a *app) links(ctx context.Context, _ []string) (found []string) {
	list, err := a.control().ListLinks(ctx, &corev1.ListLinksRequest{})
	if err != nil {
		return nil
	}
	for _, l := range list.GetLinks() {
		found = append(found, linkName{l.GetTenant(), l.GetConnector(), l.GetLink()}.String()+"\t"+l.GetState())
	}
	return found
}

// parked completes the numbers of parked frames.
func (a *app) parked(ctx context.Context, args []string) (found []string) {
	name, err := linkArg(args[0])
	if err != nil {
		return nil
	}
	list, err := a.control().ListForwards(ctx, &corev1.ListForwardsRequest{
		Tenant: name.tenant, Connector: name.connector, Link: name.link, Parked: true, PageSize: 50,
	})
	if err != nil {
		return nil
	}
	for _, f := range list.GetFrames() {
		found = append(found, fmt.Sprintf("%d\t%s", f.GetN(), f.GetReason()))
	}
	return found
}
