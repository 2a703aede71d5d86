// swift-tools-version: 6.1
import PackageDescription

// Every target: Swift 6 language mode and the upcoming features that make imports and existentials explicit.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// swift-nio
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
// the rest
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let toml = Target.Dependency.product(name: "TOMLKit", package: "TOMLKit")

/// A library target whose folder is `Sources/<floor>/<room>`.
///
/// - Parameter protos: What code was generated from, below the folder.
func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency], protos: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", exclude: protos, swiftSettings: settings)
}

/// A test target that mirrors one room.
func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

let package = Package(
    name: "dig-nat-tools",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        .library(name: "DIGNatTools", targets: ["DIGNatTools"]),
        // The parts that are of use alone.
        .library(name: "DIGMultiformats", targets: ["DIGMultiformats"]),
        .library(name: "DIGIdentity", targets: ["DIGIdentity"]),
        .library(name: "DIGContent", targets: ["DIGContent"]),
        .library(name: "DIGSwarm", targets: ["DIGSwarm", "DIGNet", "DIGTCP"]),
        .library(name: "DIGPortMapping", targets: ["DIGPortMapping"]),
        .library(name: "DIGSTUN", targets: ["DIGSTUN", "DIGUDP"]),
        .library(name: "DIGTraversal", targets: ["DIGTraversal", "DIGHolePunching", "DIGCircuitRelay", "DIGAutoNAT"]),
        .library(name: "DIGLocalDiscovery", targets: ["DIGLocalDiscovery"]),
        .library(name: "DIGKademlia", targets: ["DIGKademlia"]),
        .library(name: "DIGPeerExchange", targets: ["DIGPeerExchange"]),
        .library(name: "DIGGossipSub", targets: ["DIGGossipSub"]),
        .library(name: "DIGGun", targets: ["DIGGun"]),
        .library(name: "DIGDiscovery", targets: ["DIGDiscovery", "DIGAnnouncement"]),
        .library(name: "DIGTransfer", targets: ["DIGTransfer"]),
        .library(name: "DIGAccess", targets: ["DIGAccess"]),
        .library(name: "DIGAvailability", targets: ["DIGAvailability"]),
        .executable(name: "dig-nat", targets: ["dig-nat"]),
        .executable(name: "natlab", targets: ["natlab"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit.git", from: "0.6.0"),
    ],
    targets: [
        // Values: no socket, no clock, no task
        room("DIGMultiformats", "Values/Multiformats", [nioCore]),
        .systemLibrary(
            name: "CSecp256k1", path: "Sources/Values/CSecp256k1", pkgConfig: "libsecp256k1",
            providers: [.apt(["libsecp256k1-dev"]), .brew(["secp256k1"])]),
        room("DIGIdentity", "Values/Identity", ["DIGMultiformats", "CSecp256k1", nioCore, crypto, cryptoExtras, asn1, protobuf], protos: ["Generated/envelope.proto", "Generated/peer_record.proto"]),
        .target(name: "CDIGSHA256", path: "Sources/Values/CDIGSHA256"),
        room("DIGContent", "Values/Content", ["DIGMultiformats", "DIGIdentity", "CDIGSHA256", nioCore, crypto, protobuf], protos: ["Generated/name_binding.proto"]),

        // Transport: from an address to an authenticated, multiplexed connection
        room("DIGNet", "Transport/Net", ["DIGMultiformats", "DIGIdentity", nioCore, logging]),
        room("DIGNetTesting", "Transport/NetTesting", ["DIGNet", "DIGMultiformats", "DIGIdentity", nioCore, nioPosix, logging]),
        room("DIGMultistream", "Transport/Multistream", ["DIGNet", "DIGMultiformats", nioCore]),
        .systemLibrary(
            name: "COpenSSL", path: "Sources/Transport/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        room("DIGNoise", "Transport/Noise", ["DIGNet", "DIGMultiformats", "DIGIdentity", "COpenSSL", nioCore, crypto, protobuf], protos: ["Generated/NoiseHandshakePayload.proto"]),
        room("DIGYamux", "Transport/Yamux", ["DIGNet", nioCore]),
        room("DIGTCP", "Transport/TCP", ["DIGNet", "DIGMultiformats", nioCore, nioPosix]),
        room("DIGUDP", "Transport/UDP", ["DIGNet", "DIGMultiformats", nioCore, nioPosix]),
        .target(name: "CDIGResolver", path: "Sources/Transport/CDIGResolver", linkerSettings: [.linkedLibrary("resolv")]),
        room("DIGDNS", "Transport/DNS", ["DIGNet", "DIGMultiformats", "DIGIdentity", "CDIGResolver"]),
        room("DIGWebSocket", "Transport/WebSocket", ["DIGNet", "DIGMultiformats", "DIGTCP", nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, crypto]),
        room(
            "DIGSwarm", "Transport/Swarm",
            [
                "DIGNet", "DIGMultiformats", "DIGIdentity", "DIGMultistream", "DIGNoise", "DIGYamux",
                nioCore, protobuf, logging, serviceLifecycle,
            ], protos: ["Identify/Generated/identify.proto"]),

        // Reach: from a peer that can't be dialed to a path that works
        room("DIGSTUN", "Reach/STUN", ["DIGNet", "DIGMultiformats", "DIGTCP", "DIGUDP", nioCore, nioPosix, crypto, logging]),
        room("DIGPortMapping", "Reach/PortMapping", ["DIGNet", "DIGMultiformats", nioCore, nioPosix, nioHTTP1, logging, serviceLifecycle]),
        room(
            "DIGAutoNAT", "Reach/AutoNAT", ["DIGNet", "DIGMultiformats", "DIGIdentity", nioCore, protobuf, logging, serviceLifecycle],
            protos: ["Generated/autonat.proto", "Generated/autonat_v2.proto"]),
        room(
            "DIGCircuitRelay", "Reach/CircuitRelay", ["DIGNet", "DIGMultiformats", "DIGIdentity", nioCore, protobuf, logging, serviceLifecycle],
            protos: ["Generated/circuit.proto", "Generated/voucher.proto"]),
        room(
            "DIGHolePunching", "Reach/HolePunching", ["DIGNet", "DIGMultiformats", "DIGIdentity", nioCore, protobuf, logging, serviceLifecycle, collections],
            protos: ["Generated/holepunch.proto"]),
        room(
            "DIGTraversal", "Reach/Traversal",
            [
                "DIGNet", "DIGMultiformats", "DIGIdentity", "DIGSwarm", "DIGSTUN", "DIGUDP", "DIGPortMapping", "DIGAutoNAT", "DIGCircuitRelay",
                "DIGHolePunching", nioCore, nioPosix, protobuf, logging, serviceLifecycle,
            ], protos: ["Generated/capabilities.proto"]),

        // Discovery: from a content hash to the peers that hold it
        room(
            "DIGLocalDiscovery", "Discovery/LocalDiscovery",
            ["DIGNet", "DIGMultiformats", "DIGIdentity", nioCore, nioPosix, logging, serviceLifecycle]),

        room("DIGAnnouncement", "Discovery/Announcement", ["DIGMultiformats", "DIGIdentity", "DIGContent", crypto, protobuf], protos: ["Generated/announcement.proto"]),
        room(
            "DIGKademlia", "Discovery/Kademlia",
            ["DIGNet", "DIGMultiformats", "DIGIdentity", "DIGHolePunching", nioCore, crypto, protobuf, logging, serviceLifecycle, collections], protos: ["Generated/kademlia.proto"]),
        room("DIGGun", "Discovery/Gun", ["DIGNet", "DIGTCP", "DIGWebSocket", "DIGMultiformats", "DIGIdentity", "DIGAnnouncement", "DIGHolePunching", nioCore, nioPosix, nioWebSocket, nioSSL, crypto, logging, serviceLifecycle]),

        room(
            "DIGPeerExchange", "Discovery/PeerExchange", ["DIGNet", "DIGMultiformats", "DIGIdentity", "DIGAnnouncement", nioCore, protobuf, logging, serviceLifecycle],
            protos: ["Generated/peer_exchange.proto"]),
        room("DIGGossipSub", "Discovery/GossipSub", ["DIGNet", "DIGMultiformats", "DIGIdentity", nioCore, logging, serviceLifecycle, collections]),
        room(
            "DIGDiscovery", "Discovery/PeerDiscovery",
            [
                "DIGNet", "DIGMultiformats", "DIGIdentity", "DIGContent", "DIGAnnouncement", "DIGKademlia", "DIGGun", "DIGPeerExchange", "DIGGossipSub", "DIGLocalDiscovery",
                logging, serviceLifecycle, collections,
            ]),

        // Sharing: from peers to a verified file on disk
        room(
            "DIGTransfer", "Sharing/Transfer",
            ["DIGNet", "DIGContent", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioConcurrency, protobuf, logging, collections],
            protos: ["Generated/transfer.proto"]),

        room(
            "DIGAvailability", "Sharing/Availability",
            ["DIGMultiformats", "DIGIdentity", "DIGContent", "DIGAnnouncement", "DIGNet", nioCore, protobuf, logging, serviceLifecycle, collections],
            protos: ["Generated/availability.proto"]),

        room(
            "DIGAccess", "Sharing/Access",
            ["DIGNet", "DIGTransfer", "DIGContent", "DIGIdentity", "DIGMultiformats", nioCore, protobuf, logging, collections],
            protos: ["Generated/access.proto"]),

        // Node: everything put together
        room("DIGStorage", "Node/Storage", ["DIGAnnouncement", "DIGContent", "DIGIdentity", "DIGMultiformats", "DIGTransfer", "DIGAccess", "DIGAvailability", "DIGTraversal", "DIGKademlia", "DIGGun", grdb, logging]),
        room(
            "DIGNatTools", "Node/DIGNatTools",
            [
                "DIGContent", "DIGIdentity", "DIGMultiformats", "DIGNet", "DIGTCP", "DIGWebSocket", "DIGDNS", "DIGSwarm", "DIGCircuitRelay", "DIGPortMapping", "DIGTraversal", "DIGSTUN", "DIGUDP", "DIGLocalDiscovery",
                "DIGAnnouncement", "DIGKademlia", "DIGGun", "DIGPeerExchange", "DIGGossipSub", "DIGDiscovery", "DIGHolePunching", "DIGTransfer", "DIGAccess", "DIGAvailability", "DIGStorage", nioCore, nioPosix, logging, serviceLifecycle,
            ]),
        room("DIGCommandLine", "Node/CommandLine", ["DIGContent", toml]),
        .target(name: "CDIGAllocator", path: "Sources/Node/CDIGAllocator"),
        .executableTarget(
            name: "dig-nat",
            dependencies: [
                "CDIGAllocator", "DIGCommandLine", "DIGNatTools", "DIGStorage", "DIGTraversal", "DIGAutoNAT", "DIGPortMapping", "DIGCircuitRelay", "DIGSTUN", "DIGUDP", "DIGTransfer", "DIGSwarm", "DIGWebSocket", "DIGNet", "DIGContent", "DIGIdentity", "DIGMultiformats",
                "DIGAnnouncement", "DIGDiscovery", "DIGKademlia", "DIGGun", "DIGPeerExchange", "DIGGossipSub", "DIGAccess", "DIGAvailability",
                nioCore, nioPosix, argumentParser, logging,
            ],
            path: "Sources/Node/dig-nat", swiftSettings: settings),

        room("DIGNATLab", "Node/Lab", ["DIGCommandLine", toml]),
        .executableTarget(
            name: "natlab", dependencies: ["DIGNATLab", "DIGCommandLine", argumentParser], path: "Sources/Node/natlab", swiftSettings: settings),

        .target(name: "DIGTestSupport", dependencies: [logging], path: "Tests/TestSupport", swiftSettings: settings),
        tests("DIGMultiformatsTests", ["DIGTestSupport", "DIGMultiformats", nioCore]),
        tests("DIGIdentityTests", ["DIGTestSupport", "DIGIdentity", "DIGMultiformats", nioCore, crypto], resources: [.copy("Fixtures")]),
        tests("DIGContentTests", ["DIGTestSupport", "DIGContent", "CDIGSHA256", "DIGIdentity", "DIGMultiformats", nioCore, crypto]),
        tests("DIGNetTests", ["DIGTestSupport", "DIGNet", "DIGNetTesting", "DIGMultiformats", "DIGIdentity", nioCore, nioEmbedded, logging]),
        tests("DIGMultistreamTests", ["DIGTestSupport", "DIGMultistream", "DIGNet", nioCore, nioEmbedded]),
        tests("DIGNoiseTests", ["DIGTestSupport", "DIGNoise", "DIGNet", "DIGIdentity", nioCore, nioEmbedded, crypto], resources: [.copy("Fixtures")]),
        tests("DIGYamuxTests", ["DIGTestSupport", "DIGYamux", "DIGNet", nioCore, nioPosix, nioEmbedded]),
        tests("DIGTCPTests", ["DIGTCP", "DIGNet", "DIGMultiformats", nioCore, nioPosix]),
        tests(
            "DIGSwarmTests",
            ["DIGTestSupport", "DIGSwarm", "DIGNet", "DIGNetTesting", "DIGTCP", "DIGIdentity", "DIGMultiformats", "DIGNoise", "DIGYamux", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGDNSTests", ["DIGTestSupport", "DIGDNS", "DIGSwarm", "DIGTCP", "DIGNet", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, logging]),
        tests("DIGUDPTests", ["DIGUDP", "DIGNet", "DIGMultiformats", nioCore, nioPosix]),
        tests(
            "DIGWebSocketTests",
            ["DIGTestSupport", "DIGWebSocket", "DIGSwarm", "DIGNet", "DIGTCP", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, nioSSL, logging]),
        tests("DIGSTUNTests", ["DIGTestSupport", "DIGSTUN", "DIGUDP", "DIGNet", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGPortMappingTests", ["DIGTestSupport", "DIGPortMapping", "DIGNet", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGAutoNATTests", ["DIGTestSupport", "DIGAutoNAT", "DIGNet", "DIGNetTesting", "DIGIdentity", "DIGMultiformats", "DIGSwarm", "DIGTCP", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGCircuitRelayTests", ["DIGTestSupport", "DIGCircuitRelay", "DIGNet", "DIGNetTesting", "DIGIdentity", "DIGMultiformats", "DIGSwarm", "DIGTCP", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGHolePunchingTests", ["DIGTestSupport", "DIGHolePunching", "DIGCircuitRelay", "DIGNet", "DIGNetTesting", "DIGIdentity", "DIGMultiformats", "DIGSwarm", "DIGTCP", nioCore, nioPosix, nioEmbedded, logging]),
        tests(
            "DIGTraversalTests",
            [
                "DIGTestSupport", "DIGTraversal", "DIGSwarm", "DIGSTUN", "DIGUDP", "DIGPortMapping", "DIGAutoNAT", "DIGCircuitRelay", "DIGHolePunching", "DIGNet", "DIGNetTesting", "DIGTCP",
                "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, logging,
            ]),
        tests("DIGNATLabTests", ["DIGNATLab", "natlab", "DIGCommandLine"]),
        tests("DIGKademliaTests", ["DIGTestSupport", "DIGKademlia", "DIGHolePunching", "DIGNet", "DIGNetTesting", "DIGSwarm", "DIGTCP", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, crypto, protobuf, logging]),
        tests("DIGGunTests", ["DIGGun", "DIGWebSocket", "DIGAnnouncement", "DIGContent", "DIGNet", "DIGIdentity", "DIGMultiformats", "DIGHolePunching", nioCore, nioPosix, nioEmbedded, crypto, logging], resources: [.copy("Fixtures")]),
        tests("DIGAnnouncementTests", ["DIGAnnouncement", "DIGContent", "DIGIdentity", "DIGMultiformats"]),
        tests("DIGPeerExchangeTests", ["DIGTestSupport", "DIGPeerExchange", "DIGAnnouncement", "DIGContent", "DIGNet", "DIGNetTesting", "DIGSwarm", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGGossipSubTests", ["DIGTestSupport", "DIGGossipSub", "DIGNet", "DIGNetTesting", "DIGSwarm", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, logging, collections]),
        tests(
            "DIGDiscoveryTests",
            [
                "DIGTestSupport", "DIGDiscovery", "DIGAnnouncement", "DIGKademlia", "DIGGun", "DIGPeerExchange", "DIGGossipSub", "DIGLocalDiscovery", "DIGContent", "DIGNet", "DIGNetTesting",
                "DIGSwarm", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, logging, serviceLifecycle,
            ]),
        tests("DIGLocalDiscoveryTests", ["DIGTestSupport", "DIGLocalDiscovery", "DIGNet", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, logging]),
        tests("DIGTransferTests", ["DIGTestSupport", "DIGTransfer", "DIGNet", "DIGContent", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, nioEmbedded, logging]),
        tests("DIGAvailabilityTests", ["DIGAvailability", "DIGAnnouncement", "DIGContent", "DIGNet", "DIGNetTesting", "DIGSwarm", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, protobuf, logging], resources: [.copy("Fixtures")]),
        tests("DIGAccessTests", ["DIGTestSupport", "DIGAccess", "DIGTransfer", "DIGNet", "DIGNetTesting", "DIGSwarm", "DIGTCP", "DIGContent", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, protobuf, logging]),
        tests("DIGStorageTests", ["DIGTestSupport", "DIGStorage", "DIGAccess", "DIGAvailability", "DIGAnnouncement", "DIGTransfer", "DIGTraversal", "DIGKademlia", "DIGGun", "DIGContent", "DIGIdentity", "DIGMultiformats", grdb, logging]),
        tests("DIGCommandLineTests", ["DIGCommandLine", "DIGContent"]),
        tests(
            "DIGNatCommandTests",
            [
                "dig-nat", "DIGCommandLine", "DIGNatTools", "DIGStorage", "DIGTraversal", "DIGTransfer", "DIGSwarm", "DIGSTUN", "DIGUDP", "DIGNet", "DIGContent", "DIGIdentity", "DIGMultiformats",
                "DIGAnnouncement", "DIGDiscovery", "DIGKademlia", "DIGGun", "DIGPeerExchange", "DIGGossipSub", "DIGAccess", "DIGAvailability", nioCore, nioPosix, argumentParser, logging,
            ]),
        tests("DIGNatToolsTests", ["DIGNatTools", "DIGStorage", "DIGAccess", "DIGAvailability", "DIGGossipSub", "DIGAnnouncement", "DIGDiscovery", "DIGGun", "DIGPeerExchange", "DIGKademlia", "DIGLocalDiscovery", "DIGSwarm", "DIGContent", "DIGIdentity", "DIGMultiformats", "DIGNet", "DIGNetTesting", "DIGTransfer", nioCore, nioPosix, logging]),
        tests(
            "InteropTests",
            ["DIGAutoNAT", "DIGCircuitRelay", "DIGHolePunching", "DIGKademlia", "DIGGossipSub", "DIGLocalDiscovery", "DIGContent", "DIGSwarm", "DIGNet", "DIGTCP", "DIGWebSocket", "DIGIdentity", "DIGMultiformats", nioCore, nioPosix, logging]),
        tests(
            "EndToEndTests",
            [
                "dig-nat", "DIGStorage", "DIGTransfer", "DIGAccess", "DIGAvailability", "DIGAnnouncement", "DIGContent", "DIGSwarm", "DIGCircuitRelay", "DIGNet", "DIGTCP", "DIGIdentity", "DIGMultiformats",
                nioCore, nioPosix, logging,
            ]),
        tests("LabTests", ["dig-nat", "natlab", "DIGNATLab"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
