/// How the matrix drives the product: the command lines, and which members of `get --json` it reads. All there is to change when either
/// changes.
///
/// `${relay}` is the relay's address, `${relay.ip}` its IP address, `${file}` the file to share, `${link}` what `share` printed,
/// `${output}` where to get it.
public struct ProductCommands: Hashable, Sendable {
    /// On a public host, at a port that web-only networks reach.
    public var relay = ["dig-nat", "node", "--json", "--serve-relay", "always", "--listen", "/ip4/${relay.ip}/tcp/443"]
    /// The relay's address in a line it prints.
    public var relayAddress = #"(/ip4/[0-9.]+/tcp/[0-9]+/p2p/\w+)"#
    /// Behind the row's NAT. Runs until the file was got.
    public var share = ["dig-nat", "share", "--json", "--relay", "${relay}", "${file}"]
    public var link = #"(dig:[^\s"]+)"#
    /// Behind the column's NAT.
    public var get = ["dig-nat", "get", "--json", "--relay", "${relay}", "-o", "${output}", "${link}"]
    /// For all three. The lab's public addresses are from the ranges for documentation, which the product does not take for public
    /// by itself.
    public var environment = ["DIG_NAT_DOCUMENTATION_ADDRESSES": "true"]

    /// The event of `get --json` that says which path is used; the last one wins.
    public var pathEvent = "path"
    public var layerMember = "layer"
    public var directMember = "direct"

    public var readyTimeout: Duration = .seconds(30)
    public var transferTimeout: Duration = .seconds(120)

    public init() {}
}
