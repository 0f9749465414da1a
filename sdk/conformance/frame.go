package conformance

import (
	"strings"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// parseFrame reads the line that begins a vector of a link: a frame that came, an
// event of the link, or the question which frame one answers. set takes the data.
func parseFrame(first directive) (trigger *sdkv1.Trigger, set func([]byte), err error) {
	link, event, _ := strings.Cut(first.rest, " ")
	if link == "" {
		return nil, nil, first.errorf("the name of a link is missing")
	}
	if first.word == "frame-key" {
		if event != "" {
			return nil, nil, first.errorf("%q follows the link's name", event)
		}
		key := &sdkv1.FrameKey{Link: link}
		return &sdkv1.Trigger{Kind: &sdkv1.Trigger_FrameKey{FrameKey: key}}, func(data []byte) { key.Data = data }, nil
	}
	frame := &sdkv1.Frame{Link: link}
	switch event {
	case "":
	case "opened":
		frame.Event = sdkv1.LinkEvent_LINK_EVENT_OPENED
	case "idle":
		frame.Event = sdkv1.LinkEvent_LINK_EVENT_IDLE
	default:
		return nil, nil, first.errorf("%q is no event of a link: opened and idle are", event)
	}
	return &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: frame}}, func(data []byte) { frame.Data = data }, nil
}

// linkOf is the link whose frame a trigger is about; "": it is about none.
func linkOf(t *sdkv1.Trigger) string {
	if key := t.GetFrameKey(); key != nil {
		return key.Link
	}
	return t.GetFrame().GetLink()
}
