package abi

// PrincipalHeader is the header of an HttpRequest by which the host tells a connector
// who calls, as the tenant configures that callers are known. It is missing when
// anybody may call. What a caller sends under this name, or under any that begins
// with x-railhead-, never arrives.
const PrincipalHeader = "x-railhead-principal"
