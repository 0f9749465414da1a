package engine

import enginev1 "github.com/railhead-hub/railhead/engine/v1"

// Until the user tasks have their own file no flow with one deploys.

func (p *payment) createUserTask(*flow, *enginev1.Token) {}
func (p *payment) cancelUserTask(*enginev1.Token)        {}
