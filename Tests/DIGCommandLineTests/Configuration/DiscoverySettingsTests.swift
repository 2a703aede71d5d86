import DIGCommandLine
import Testing

@Suite("Settings about finding peers")
struct DiscoverySettingsTests {
    private func file(_ text: String) throws(ConfigurationError) -> ConfigurationFile { try ConfigurationFile(text: text, path: "/c.toml") }

    private func resolve(flags: [Setting: String] = [:], environment: [String: String] = [:], file: String = "") throws(ConfigurationError) -> EffectiveConfiguration {
        try EffectiveConfiguration(
            flags: flags, environment: environment.merging(["HOME": "/home/u"]) { $1 }, file: try self.file(file),
            defaults: [.dht: .flag(true), .publicDHT: .flag(true), .gun: .addresses([]), .privateNetwork: .name(""), .dhtDuty: .choice("auto")])
    }

    @Test("the file gives each its value and line")
    func fromFile() throws {
        let file = try self.file(
            """
            bootstrap = ["/dns4/node.example/tcp/4001/p2p/12D3Koo"]
            dht = false
            public-dht = true
            serve-dht = "always"
            pex = false
            gossip = true
            gun = ["wss://gun.example/gun"]
            gun-listen = ["0.0.0.0:8765", "[::]:8765"]
            announce = false
            network = "example"
            require-authentication = true
            anonymous = false
            """)
        #expect(
            file.entries == [
                .bootstrap: .init(value: .addresses(["/dns4/node.example/tcp/4001/p2p/12D3Koo"]), line: 1),
                .dht: .init(value: .flag(false), line: 2),
                .publicDHT: .init(value: .flag(true), line: 3),
                .dhtDuty: .init(value: .choice("always"), line: 4),
                .peerExchange: .init(value: .flag(false), line: 5),
                .gossip: .init(value: .flag(true), line: 6),
                .gun: .init(value: .addresses(["wss://gun.example/gun"]), line: 7),
                .gunListen: .init(value: .addresses(["0.0.0.0:8765", "[::]:8765"]), line: 8),
                .announce: .init(value: .flag(false), line: 9),
                .privateNetwork: .init(value: .name("example"), line: 10),
                .requireAuthentication: .init(value: .flag(true), line: 11),
                .anonymous: .init(value: .flag(false), line: 12),
            ])
    }

    @Test("flags win over variables over the file; nothing is the name of no network")
    func layers() throws {
        let configuration = try self.resolve(
            flags: [.publicDHT: "no", .privateNetwork: ""], environment: ["DIG_NAT_NETWORK": "a", "DIG_NAT_GUN": "ws://a/gun,wss://b/gun", "DIG_NAT_SERVE_DHT": "never"],
            file: "public-dht = true\nnetwork = \"b\"\n")
        #expect(configuration.flag(.publicDHT) == false && configuration.isSet(.publicDHT))
        #expect(configuration.flag(.dht) == true && !configuration.isSet(.dht))
        #expect(configuration.name(.privateNetwork) == nil && configuration.isSet(.privateNetwork))
        #expect(configuration.addresses(.gun) == ["ws://a/gun", "wss://b/gun"])
        #expect(configuration.word(.dhtDuty) == "never")
        #expect(try self.resolve(environment: ["DIG_NAT_NETWORK": "a"], file: "network = \"b\"").name(.privateNetwork) == "a")
        #expect(try self.resolve(environment: ["DIG_NAT_NETWORK": ""], file: "network = \"b\"").name(.privateNetwork) == "b")
        #expect(try self.resolve()[.privateNetwork]?.value.text == "(none)")
        #expect(configuration.events.contains { $0.text == #"{"event":"setting","key":"network","value":null,"origin":"flag","flag":"--network"}"# })
        #expect(try self.resolve(file: "network = \"b\"").lines.contains { $0.hasPrefix("network") && $0.hasSuffix("(/c.toml:1)") })
    }

    @Test(
        "the file says of what kind a value has to be",
        arguments: [
            ("network = 1", "of type integer"), ("dht = \"no\"", "of type string"), ("gun = \"ws://a\"", "of type string"), ("serve-dht = \"maybe\"", "\"maybe\""),
            ("bootstrap = [1]", "a list with a value of type integer"), ("announce = 1", "of type integer"),
        ])
    func wrongKind(text: String, found: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try self.file(text) }
        guard case .invalidValue(.file("/c.toml", 1), _, _, let actual) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(actual == found)
    }
}
