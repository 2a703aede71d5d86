import DIGAnnouncement
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGGun
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGPeerExchange
import DIGTraversal
import Testing

@testable import dig_nat

@Suite("What is printed about finding")
struct DiscoveryOutputTests {
    private let hash = ContentHash(digest: SHA256Digest(hashing: [1]))

    private func peer(_ number: UInt8) throws -> PeerID { try KeyPair(ed25519Seed: Array(repeating: number, count: 32)).peerID }

    private func holder(_ number: UInt8, _ sources: [DiscoverySource], isClaimed: Bool = true, addresses: [String] = []) throws -> DiscoveredHolder {
        DiscoveredHolder(
            peer: try self.peer(number), knownAddresses: try addresses.map { .init(try Multiaddr($0), sources: sources, isSigned: true) }, sources: sources,
            isClaimed: isClaimed, firstSeen: .zero)
    }

    // MARK: Words

    @Test("ways of discovery are read and said")
    func sources() {
        #expect(SourceNames.text([.local]) == "the local network")
        #expect(SourceNames.text([.local, .dht, .pex]) == "the local network, the DHT and connected peers")
        #expect(SourceNames.text([]) == "nobody")
        #expect(SourceNames.parse("dht,gun") == [.dht, .gun])
        #expect(SourceNames.parse("public-dht") == [.publicDHT])
        #expect(SourceNames.parse("") == nil && SourceNames.parse("dht,x") == nil)
    }

    @Test("get says whom it asks")
    func searching() throws {
        #expect(GetCommand.searching(.contentHash(self.hash), sources: [.local, .dht]) == "looking for a holder: asking the local network and the DHT")
        #expect(GetCommand.searching(.contentHash(self.hash), sources: []) == "looking for a holder: asking nobody, every way of discovery is off")
        let link = ContentReference.link(try ShareLink(contentHash: self.hash, peers: [try Multiaddr("/ip4/1.2.3.4/tcp/1").withPeerID(try self.peer(1))]))
        #expect(GetCommand.searching(link, sources: []) == "looking for a holder: asking the peers of the link")
        #expect(GetCommand.searching(link, sources: [.gun]) == "looking for a holder: asking the peers of the link, GUN")
        #expect(GetCommand.words(.name("a\u{1b}b", signer: try self.peer(1))) == "a\\u{1b}b@\(try self.peer(1))")
    }

    @Test("get says who signed what a name means")
    func binding() throws {
        let keys = try KeyPair(ed25519Seed: Array(repeating: 1, count: 32))
        let envelope = try NameBinding.sign(.name("n"), as: self.hash, timestampMilliseconds: 1000, with: keys)
        let binding = try NameBinding(verifying: envelope, expecting: nil, nowMilliseconds: 2000)
        #expect(GetCommand.line(binding) == "\"n\" is \(self.hash), signed by \(keys.peerID)")
        #expect(
            GetCommand.event(binding).text
                == #"{"event":"resolved","contentHash":"\#(self.hash)","signer":"\#(keys.peerID)","signedMs":1000,"name":"n"}"#)
    }

    @Test("a name that means different contents is listed with its signers and both ways to choose")
    func conflict() {
        let failure = FailureDescription.failure(
            for: NodeError(.ambiguousName, "the name \"x\" means different contents; fetch the one you trust:\n  h1, signed by a\n  h2, signed by b"))
        #expect(failure.details == ["h1, signed by a", "h2, signed by b"])
        #expect(failure.next?.contains("dig-nat get HASH") == true && failure.next?.contains("NAME@PEER") == true)
        #expect(failure.status == .notFound)
    }

    // MARK: share

    @Test("share says by which ways it is really stored, and why not by others")
    func announced() {
        let report = AnnouncementReport(
            content: AnnouncedContent(RendezvousKey(self.hash)),
            entries: [
                .init(source: .local, outcome: .inBackground), .init(source: .dht, outcome: .taken(by: 12), duration: .milliseconds(500)),
                .init(source: .gun, outcome: .failed("no\nrelay")), .init(source: .pex, outcome: .taken(by: 0)),
            ])
        #expect(
            AnnouncementText.line(report, name: "a.mp4")
                == "a.mp4 is found by the local network (in the background), the DHT (12 nodes took it); not yet by GUN: failed: no\\u{a}relay, connected peers: nobody is there to take it yet"
        )
        #expect(
            AnnouncementText.event(report, hash: self.hash, name: "a.mp4").text
                == #"{"event":"announced","contentHash":"\#(self.hash)","name":"a.mp4","isStored":true,"mechanisms":[{"by":"local","outcome":"in-background","nodes":null,"message":null,"seconds":0.0},{"by":"dht","outcome":"taken","nodes":12,"message":null,"seconds":0.5},{"by":"gun","outcome":"failed","nodes":null,"message":"no\nrelay","seconds":0.0},{"by":"pex","outcome":"taken","nodes":0,"message":null,"seconds":0.0}]}"#
        )
        #expect(AnnouncementWatch.news(report, told: nil) == [.local, .dht])
        #expect(AnnouncementWatch.news(report, told: [.dht]) == [.local])
        let nobody = AnnouncementReport(content: report.content, entries: [.init(source: .pex, outcome: .taken(by: 0))])
        #expect(AnnouncementText.line(nobody, name: "a") == "a cannot be found by its hash yet; not yet by connected peers: nobody is there to take it yet")
        #expect(AnnouncementText.event(nobody, hash: self.hash, name: "a")["isStored"] == false)
    }

    // MARK: find

    @Test("a holder is one, with the time of each way that found it")
    func findings() throws {
        var findings = HolderFindings()
        let address = "/ip4/198.51.100.7/tcp/4001"
        #expect(findings.found(try self.holder(1, [.dht]), after: .milliseconds(420)) == [.dht])
        #expect(findings.found(try self.holder(1, [.dht, .gun], addresses: [address]), after: .milliseconds(900)) == [.gun])
        #expect(findings.found(try self.holder(1, [.dht, .gun], addresses: [address]), after: .seconds(2)) == [])
        let holder = try #require(findings.found.first)
        let peer = try self.peer(1)
        #expect(findings.found.count == 1)
        #expect(HolderFindings.line(holder) == "\(peer)  dht 0.42 s, gun 0.90 s  \(address)")
        #expect(
            HolderFindings.event(holder).text
                == #"{"event":"found","peer":"\#(peer)","by":[{"by":"dht","seconds":0.42},{"by":"gun","seconds":0.9}],"addresses":[{"address":"\#(address)","signed":true,"by":["dht","gun"]}],"claimed":true,"confirmed":null}"#
        )
    }

    @Test("what nobody has signed is asked, and shown as claimed until it is confirmed; who denies is not shown")
    func hearsay() throws {
        var findings = HolderFindings()
        for number in UInt8(1)...4 { _ = findings.found(try self.holder(number, [.publicDHT]), after: .zero) }
        _ = findings.found(try self.holder(5, [.publicDHT]), after: .zero)
        _ = findings.found(try self.holder(5, [.publicDHT, .dht]), after: .zero)
        findings.answered(try self.peer(1), .has)
        // Withdrawn, but the record cannot be taken back.
        findings.answered(try self.peer(2), .lacks)
        findings.answered(try self.peer(3), .failed("cannot be reached"))
        let lines = findings.found.map(HolderFindings.line)
        #expect(lines.count == 4)
        #expect(lines[0].hasSuffix("  no address known"))
        #expect(lines[1].hasSuffix("  (claimed only: cannot be reached)"))
        #expect(lines[2].hasSuffix("  (claimed only)"))
        // Another way has it signed.
        #expect(lines[3].hasSuffix("  no address known"))
        #expect(findings.found.map(\.isHearsay) == [true, true, true, false])
        #expect(findings.found.map(\.isSettled) == [true, true, false, true])
        #expect(HolderFindings.event(findings.found[2])["confirmed"] == .null && HolderFindings.event(findings.found[2])["claimed"] == true)
    }

    @Test("a peer is named by its id or its overlay address")
    func peerNames() throws {
        let peer = try self.peer(1)
        #expect(try DHTFindPeerCommand.name(parsing: "\(peer)") == .peer(peer))
        #expect(try DHTFindPeerCommand.name(parsing: "\(OverlayAddress(peer))") == .overlay(OverlayAddress(peer)))
        for text in ["", "2001:db8::1", "fd00::/8", "peer"] { #expect(throws: CommandFailure.self) { _ = try DHTFindPeerCommand.name(parsing: text) } }
    }

    @Test("who is merely near by counts when it says so itself, and who denies does not")
    func asked() throws {
        var findings = HolderFindings()
        _ = findings.found(try self.holder(1, [.local], isClaimed: false), after: .zero)
        _ = findings.found(try self.holder(2, [.dht]), after: .zero)
        _ = findings.found(try self.holder(3, [.gun]), after: .zero)
        #expect(findings.found.map(\.found.peer) == [try self.peer(2), try self.peer(3)])
        findings.answered(try self.peer(1), .has)
        findings.answered(try self.peer(2), .lacks)
        findings.answered(try self.peer(3), .failed("refused\u{7}\n  and how"))
        #expect(findings.found.map(\.found.peer) == [try self.peer(1), try self.peer(3)])
        #expect(HolderFindings.line(findings.found[0]).hasSuffix("  local 0.00 s  no address known"))
        #expect(HolderFindings.line(findings.found[1]).hasSuffix("  (refused\\u{7})"))
        #expect(HolderFindings.event(findings.found[0])["confirmed"] == true)
    }

    @Test("each way is told with what it found and how long it took")
    func ends() {
        var findings = HolderFindings()
        findings.ended(.pex, .failed("no peer is connected"), .milliseconds(1))
        findings.ended(.dht, .completed(found: 2), .milliseconds(810))
        findings.ended(.pex, .completed(found: 1), .seconds(3))
        #expect(findings.ends.map(HolderFindings.line) == ["connected peers: found 1 in 3.00 s", "the DHT: found 2 in 0.81 s"])
        #expect(
            HolderFindings.event(findings.ends[1]).text == #"{"event":"answered","by":"dht","outcome":"completed","found":2,"seconds":0.81,"message":null}"#)
        #expect(
            HolderFindings.event(.init(source: .gun, outcome: .timedOut, duration: .seconds(60))).text
                == #"{"event":"answered","by":"gun","outcome":"timed-out","found":null,"seconds":60.0,"message":null}"#)
    }

    @Test("what a name means is listed by content, with signers and how many told")
    func meanings() throws {
        var findings = HolderFindings()
        let other = ContentHash(digest: SHA256Digest(hashing: [2]))
        func binding(_ number: UInt8, _ hash: ContentHash) throws -> NameBinding {
            let envelope = try NameBinding.sign(.name("n"), as: hash, timestampMilliseconds: 1000, with: KeyPair(ed25519Seed: Array(repeating: number, count: 32)))
            return try NameBinding(verifying: envelope, expecting: nil, nowMilliseconds: 2000)
        }
        findings.told([try binding(1, self.hash), try binding(2, self.hash)], by: try self.peer(3))
        findings.told([try binding(1, self.hash)], by: try self.peer(4))
        findings.told([try binding(5, other)], by: try self.peer(3))
        #expect(findings.meanings.count == 2)
        let meaning = try #require(findings.meanings.first { $0.contentHash == self.hash })
        #expect(Set(meaning.signers) == [try self.peer(1), try self.peer(2)] && meaning.tellers.count == 2)
        let line = HolderFindings.line(meaning: other, signers: [try self.peer(5)], tellers: [try self.peer(3)])
        #expect(line == "\(other)  signed by \(try self.peer(5))  (told by 1 peer)")
    }

    @Test("what is looked up is where content is announced")
    func keys() throws {
        let key: [UInt8] = [0x12, 0x20] + self.hash.digest.bytes
        #expect(try DHTLookupKey.bytes(parsing: self.hash.description) == key)
        #expect(try DHTLookupKey.bytes(parsing: "dig:\(self.hash)") == key)
        #expect(try DHTLookupKey.bytes(parsing: "photos") == KademliaMechanism.key(of: RendezvousKey(.name("photos"))))
        #expect(try DHTLookupKey.bytes(parsing: "\(try self.peer(1))") == self.peer(1).bytes)
        #expect(try DHTLookupKey.bytes(parsing: "hex:00fF") == [0, 255])
        // No hexadecimal number: a name.
        #expect(try DHTLookupKey.bytes(parsing: "hex:0") == KademliaMechanism.key(of: RendezvousKey(.name("hex:0"))))
        #expect(throws: ContentError.self) { try DHTLookupKey.bytes(parsing: "") }
        #expect(HolderInquiry.Subject(.name("a", signer: nil)) == .binding(.name("a"), signer: nil))
    }

    // MARK: peers and dht

    @Test("a peer is one line with path, round trip, software, tier and what it speaks")
    func peerRow() throws {
        let address = try Multiaddr("/ip4/9.9.9.9/tcp/4001")
        var row = PeerRow(
            peer: try self.peer(1), path: ConnectionPath(method: .direct, address: address, origin: nil), isInbound: false, agent: "kubo\u{1b}/0.22",
            features: ["dht", "relay"], tier: .directCapable, relays: true, roundTrip: .microseconds(12_340))
        #expect(row.line == "\(try self.peer(1))  TCP direct (out)  \(address)  12.3 ms  kubo\\u{1b}/0.22  direct-capable, relays  [dht relay]")
        #expect(
            row.event.text
                == #"{"event":"peer","peer":"\#(try self.peer(1))","address":"\#(address)","layer":"direct","direct":true,"direction":"out","agent":"kubo\u001b/0.22","features":["dht","relay"],"tier":"direct-capable","relays":true,"roundTripSeconds":0.01234}"#
        )
        row.agent = nil
        row.features = []
        row.tier = .unknown
        row.roundTrip = nil
        row.isInbound = true
        #expect(row.line == "\(try self.peer(1))  TCP direct (in)  \(address)")
    }

    @Test("who is on the same network is told with where it says it is")
    func near() throws {
        let near = DiscoveredPeer(peer: try self.peer(1), addresses: [try Multiaddr("/ip4/10.0.0.1/tcp/1")], expires: .now)
        #expect(PeersCommand.line(near) == "\(try self.peer(1))  not connected, near by  /ip4/10.0.0.1/tcp/1")
        #expect(PeersCommand.event(near).text == #"{"event":"near","peer":"\#(try self.peer(1))","addresses":["/ip4/10.0.0.1/tcp/1"]}"#)
    }

    @Test("protocols become words, each once, also those of a private network")
    func features() {
        #expect(
            ProtocolNames.features(["/libp2p/circuit/relay/0.2.0/hop", "/meshsub/1.0.0", "/meshsub/1.1.0", "/ipfs/kad/1.0.0", "/x/1", "/dig/transfer/1.0.0"])
                == ["files", "public-dht", "gossip", "relay"])
        #expect(ProtocolNames.features(["/dig/n/kad/1.0.0"]) == [])
        #expect(ProtocolNames.features(["/dig/n/kad/1.0.0"], network: "/dig/n/kad/1.0.0") == ["dht"])
        #expect(ProtocolNames.features([PeerExchange.protocolID, Kademlia.digProtocolID]) == ["dht", "pex"])
    }

    @Test("dht status tells both what it is and what it holds")
    func dhtReport() {
        var statistics = KademliaStatistics()
        statistics.routingTableCount = 21
        statistics.providerRecordCount = 3
        statistics.requestsSent = 9
        let report = DHTReport(source: .dht, protocolID: "/dig/kad/1.0.0", mode: .server, buckets: [20, 0, 1], statistics: statistics)
        #expect(report.text.hasPrefix("dht (/dig/kad/1.0.0)\n  mode      server, answers others\n  nodes     21, by shared bits 0: 20, 2: 1\n"))
        #expect(
            report.event.text.hasPrefix(
                #"{"event":"dht","by":"dht","protocol":"/dig/kad/1.0.0","mode":"server","nodes":21,"buckets":[{"sharedBits":0,"nodes":20},{"sharedBits":2,"nodes":1}],"providerRecords":3,"#
            ))
    }

    @Test("dht lookup lists the closest nodes, then providers with their hops")
    func lookup() throws {
        let address = try Multiaddr("/ip4/9.9.9.9/tcp/1")
        var outcome = DHTLookupCommand.Outcome(source: .publicDHT, key: [1, 2])
        outcome.closest = [KademliaPeer(try self.peer(1), addresses: [address])]
        outcome.providers = [FoundProvider(peer: try self.peer(2), addresses: [], isSigned: true, source: try self.peer(1), hops: 2)]
        outcome.requests = 14
        outcome.closestTime = .milliseconds(1500)
        let bits = KademliaKey(hashing: [1, 2]).commonPrefixLength(with: KademliaKey(try self.peer(1)))
        #expect(
            DHTLookupCommand.text(outcome) == """
                public-dht: 1 closest node in 1.50 s
                  \(try self.peer(1))  \(bits) bits  \(address)
                public-dht: 1 provider in 0.00 s, 14 questions in all
                  \(try self.peer(2))  2 hops, signed  no address known
                """)
        #expect(DHTLookupCommand.events(outcome).map { $0["event"] } == ["closest", "provider", "lookup"])
        #expect(DHTLookupCommand.events(outcome)[1]["hops"] == 2)
        let found = DHTFindPeerCommand.line(outcome.closest[0], source: .dht, after: .milliseconds(30))
        #expect(found == "\(try self.peer(1))  dht 0.03 s  \(address)")
    }

    // MARK: node and bootstrap

    @Test("a relay of GUN at every interface is named at each address of the node, the public ones first")
    func gunAddresses() throws {
        let addresses = try ["/ip4/192.168.1.2/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip4/9.9.9.9/tcp/2", "/ip4/8.8.8.8/tcp/1/p2p/\(try self.peer(1))/p2p-circuit", "/ip6/2600::1/tcp/1"].map { try Multiaddr($0) }
        let listening = [GunURL(host: "0.0.0.0", port: 8765), GunURL(isSecure: true, host: "::", port: 443), GunURL(host: "10.0.0.1", port: 1)]
        #expect(
            GunAddresses.reachable(listening, at: addresses).map(\.description) == [
                "ws://9.9.9.9:8765/gun", "ws://192.168.1.2:8765/gun", "wss://[2600::1]/gun", "ws://10.0.0.1:1/gun",
            ])
        #expect(GunAddresses.reachable(listening, at: []).map(\.host) == ["10.0.0.1"])
    }

    @Test("a status says what is on, and nothing of what is off")
    func status() {
        var status = NodeStatus()
        status.connections = 3
        #expect(status.line == "3 connections; 0 announced; sent 0 B, 0 sessions")
        status.dhts = [.init(name: "dht", isServer: true, nodes: 20, records: 5)]
        status.knownPeers = 7
        status.gossipPeers = 2
        status.gun = .init(relays: 1, accepted: 2, nodes: 9)
        status.reservations = 1
        #expect(
            status.line
                == "3 connections; dht server with 20 nodes, 5 records; pex knows 7; gossip with 2; gun with 3, 9 nodes of its graph; 0 announced; sent 0 B, 0 sessions; relays for 1, 0 circuits, 0 B"
        )
        #expect(status.event.text.hasPrefix(#"{"event":"status","connections":3,"dht":[{"by":"dht","mode":"server","nodes":20,"providerRecords":5}],"pexPeers":7,"gossipPeers":2,"gun":{"#))
        #expect(NodeStatus().event["gun"] == .null)
    }

    @Test("where GUN listens is an IP address and a port")
    func listenText() throws {
        func parsed(_ text: String) -> String? { ListenText.parse(text).map { "\($0.isSecure ? "wss " : "")\($0.address.host) \($0.address.port)" } }
        #expect(parsed("0.0.0.0:8765") == "0.0.0.0 8765")
        #expect(parsed(":8765") == "0.0.0.0 8765")
        #expect(parsed("[::]:0") == ":: 0")
        #expect(parsed("wss://[2001:db8::1]:443/gun") == "wss 2001:db8::1 443")
        #expect(parsed("ws://127.0.0.1:1") == "127.0.0.1 1")
        for text in ["", "8765", "a:1", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "::1:1", "[1.2.3.4]:1", "1.2.3:1", "1.2.3.4/ip4/1.2.3.4:1"] { #expect(parsed(text) == nil, "\(text)") }
    }
}
