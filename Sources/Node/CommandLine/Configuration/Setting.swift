/// Something a person can configure: by flag, by environment variable, in the file, or not at all.
///
/// One word names it everywhere: `--upload-rate`, `DIG_NAT_UPLOAD_RATE`, and `upload-rate = …`.
public enum Setting: String, CaseIterable, Hashable, Sendable {
    case dataDirectory = "data-dir"
    case keyFile = "key-file"
    case downloadDirectory = "download-dir"
    case listen
    case uploadRate = "upload-rate"
    case downloadRate = "download-rate"
    case localDiscovery = "local-discovery"
    case maximumConnections = "max-connections"
    case tlsCertificate = "tls-certificate"
    case tlsKey = "tls-key"
    case relays
    case stun
    case portMapping = "port-mapping"
    case relayDuty = "serve-relay"
    case relayRate = "relay-rate"
    case relayDaily = "relay-daily"
    case traversalMode = "traversal"
    case methods
    case bootstrap
    case dht
    case publicDHT = "public-dht"
    case dhtDuty = "serve-dht"
    case peerExchange = "pex"
    case gossip
    case gun
    case gunListen = "gun-listen"
    case announce
    case privateNetwork = "network"
    case requireAuthentication = "require-authentication"
    case anonymous
    case documentationAddresses = "documentation-addresses"

    /// How its text is read.
    public enum Kind: Hashable, Sendable {
        case path, addresses, rate, flag, count(ClosedRange<Int>)
        /// A number of bytes.
        case bytes
        /// One of these words.
        case choice([String])
        /// Some of these words, in an order that matters.
        case words([String])
        /// What something is called; empty: nothing is.
        case name
    }

    public static let environmentPrefix = "DIG_NAT_"

    public var kind: Kind {
        switch self {
        case .dataDirectory, .keyFile, .downloadDirectory, .tlsCertificate, .tlsKey: .path
        case .listen, .relays, .stun, .bootstrap, .gun, .gunListen: .addresses
        case .uploadRate, .downloadRate, .relayRate: .rate
        case .relayDaily: .bytes
        case .localDiscovery, .portMapping, .dht, .publicDHT, .peerExchange, .gossip, .announce, .requireAuthentication, .anonymous, .documentationAddresses:
            .flag
        case .relayDuty, .dhtDuty: .choice(["auto", "always", "never"])
        case .privateNetwork: .name
        case .traversalMode: .choice(["race", "dual-role", "whitepaper"])
        case .methods: .words(["local", "direct", "upnp", "tcp-hole-punch", "tcp-simultaneous-open", "circuit-relay", "websocket", "dht"])
        case .maximumConnections: .count(1...10_000)
        }
    }

    public var key: String { self.rawValue }
    /// One address follows each, so that the flag of a list may be in the singular.
    public var flag: String { self == .relays ? "--relay" : "--\(self.key)" }
    public var environmentVariable: String {
        Self.environmentPrefix + String(self.rawValue.uppercased().map { $0 == "-" ? "_" : $0 })
    }

    /// One line for `dig-nat config` and the manual.
    public var explanation: String {
        switch self {
        case .dataDirectory: "where the database and the key are kept"
        case .keyFile: "the private key that is this node's identity"
        case .downloadDirectory: "where files are put that come without -o"
        case .listen: "multiaddresses to accept connections at"
        case .uploadRate: "bytes per second sent at most, such as \"2 MiB/s\", or \"unlimited\""
        case .downloadRate: "bytes per second received at most, or \"unlimited\""
        case .localDiscovery: "finds and is found by peers on the same network (mDNS)"
        case .maximumConnections: "open connections at most; as long as it is not set, a node that relays keeps more for that"
        case .tlsCertificate: "the certificate, PEM, of a node that listens on /wss"
        case .tlsKey: "the private key, PEM, of that certificate"
        case .relays: "relays to be reached through while nobody gets through directly"
        case .stun: "STUN servers that show what the NAT does to UDP, HOST or HOST:PORT; two tell more than one"
        case .portMapping: "asks the router to open the port (UPnP, NAT-PMP, PCP)"
        case .relayDuty: "relays for others: \"auto\" while everybody can reach this node, \"always\" or \"never\""
        case .relayRate: "bytes per second relayed for others at most, both directions added, or \"unlimited\""
        case .relayDaily: "bytes relayed for others in a day (UTC) at most, such as \"20 GiB\", or \"unlimited\""
        case .traversalMode: "how methods take turns: \"race\", or one after the other in the order \"dual-role\" or \"whitepaper\""
        case .methods: "the methods that may be used to reach peers, in this order; none: all"
        case .bootstrap: "first contacts, multiaddresses that end with /p2p/PEER: connected to at the start and whenever the connection is lost"
        case .dht: "finds and is found by the DHT of this software"
        case .publicDHT: "finds and is found by the public DHT of libp2p and IPFS"
        case .dhtDuty: "answers others in the DHT: \"auto\" while everybody can reach this node, \"always\" or \"never\""
        case .peerExchange: "finds and is found by the peers that are connected, and those they know"
        case .gossip: "hears and tells by gossipsub who has what"
        case .gun: "relays of GUN to find and be found by, such as wss://gun.example.org/gun; none: off"
        case .gunListen: "where this node is a relay of GUN, HOST:PORT, or wss://HOST:PORT with tls-certificate; none: it is not"
        case .announce: "lets others find what is shared, by every way that is on"
        case .privateNetwork: "the name of a private network, which has a DHT of its own, also at private addresses; public-dht is off then unless it is set"
        case .requireAuthentication: "peers have to prove who they are before they are told of anything that is shared"
        case .anonymous: "serves peers that nobody has put on the list of those trusted; without them, only trusted peers and those with a grant"
        case .documentationAddresses: "takes documentation addresses for public ones, for laboratories built of them"
        }
    }
}
