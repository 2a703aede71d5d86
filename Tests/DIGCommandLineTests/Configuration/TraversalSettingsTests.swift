import DIGCommandLine
import Testing

@Suite("Settings about reaching peers")
struct TraversalSettingsTests {
    private func file(_ text: String) throws(ConfigurationError) -> ConfigurationFile { try ConfigurationFile(text: text, path: "/c.toml") }

    private func resolve(flags: [Setting: String] = [:], environment: [String: String] = [:], file: String = "") throws(ConfigurationError) -> EffectiveConfiguration {
        try EffectiveConfiguration(
            flags: flags, environment: environment.merging(["HOME": "/home/u"]) { $1 }, file: try self.file(file),
            defaults: [.relays: .addresses([]), .stun: .addresses([]), .portMapping: .flag(true), .relayDuty: .choice("auto"), .traversalMode: .choice("race"), .methods: .words([])])
    }

    @Test("the file gives each its value and line")
    func fromFile() throws {
        let file = try self.file(
            """
            relays = ["/dns4/relay.example/tcp/4001/p2p/12D3Koo"]
            stun = ["stun.example:3478", "[2001:db8::1]"]
            port-mapping = false
            serve-relay = "never"
            traversal = "whitepaper"
            methods = ["direct", "circuit-relay"]
            documentation-addresses = true
            """)
        #expect(
            file.entries == [
                .relays: .init(value: .addresses(["/dns4/relay.example/tcp/4001/p2p/12D3Koo"]), line: 1),
                .stun: .init(value: .addresses(["stun.example:3478", "[2001:db8::1]"]), line: 2),
                .portMapping: .init(value: .flag(false), line: 3),
                .relayDuty: .init(value: .choice("never"), line: 4),
                .traversalMode: .init(value: .choice("whitepaper"), line: 5),
                .methods: .init(value: .words(["direct", "circuit-relay"]), line: 6),
                .documentationAddresses: .init(value: .flag(true), line: 7),
            ])
    }

    @Test("flags and variables separate words with commas; flags win")
    func layers() throws {
        let configuration = try self.resolve(
            flags: [.methods: "tcp-hole-punch,direct", .relayDuty: "always"],
            environment: ["DIG_NAT_METHODS": "upnp", "DIG_NAT_STUN": "a.example, b.example:99", "DIG_NAT_TRAVERSAL": "dual-role", "DIG_NAT_SERVE_RELAY": "never"],
            file: "traversal = \"race\"\nstun = [\"c.example\"]\nmethods = []")
        #expect(configuration.words(.methods) == ["tcp-hole-punch", "direct"])
        #expect(configuration[.methods]?.origin == .flag("--methods"))
        #expect(configuration.word(.relayDuty) == "always")
        #expect(configuration.addresses(.stun) == ["a.example", "b.example:99"])
        #expect(configuration.word(.traversalMode) == "dual-role")
        #expect(configuration[.traversalMode]?.origin == .environment(variable: "DIG_NAT_TRAVERSAL"))
        #expect(configuration.word(.methods) == nil && configuration.words(.relayDuty) == nil, "each kind has its own question")
        #expect(configuration.lines.contains { $0.hasPrefix("methods") && $0.contains("tcp-hole-punch, direct") && $0.hasSuffix("(--methods)") })
        #expect(configuration.events.contains { $0.text == #"{"event":"setting","key":"methods","value":["tcp-hole-punch","direct"],"origin":"flag","flag":"--methods"}"# })
        #expect(configuration.events.contains { $0.text.hasPrefix(#"{"event":"setting","key":"serve-relay","value":"always""#) })
    }

    @Test("no methods means all of them, no servers none")
    func empty() throws {
        let configuration = try self.resolve(environment: ["DIG_NAT_STUN": "", "DIG_NAT_METHODS": ""], file: "stun = [\"c.example\"]")
        #expect(configuration.addresses(.stun) == [])
        #expect(configuration.words(.methods) == [])
        #expect(configuration[.methods]?.origin == .standard)
        #expect(configuration[.methods]?.value.text == "(all)")
        #expect(configuration[.stun]?.value.text == "(none)")
    }

    @Test(
        "a word that means nothing is refused with those that do",
        arguments: [
            (Setting.relayDuty, "sometimes", "one of auto, always, never"), (.traversalMode, "sequential", "one of race, dual-role, whitepaper"),
            (.relayDuty, "", "one of auto, always, never"), (.relayDuty, "Always", "one of auto, always, never"),
            (.methods, "direct,teleport", "some of local, direct, upnp, "), (.methods, "direct;upnp", "some of local, direct, upnp, "),
            (.methods, "direct,,upnp", "some of local, direct, upnp, "), (.methods, "direct,", "some of local, direct, upnp, "), (.methods, "direct,direct", "some of local, direct, upnp, "),
        ])
    func wrongWord(setting: Setting, text: String, expected: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try self.resolve(flags: [setting: text]) }
        #expect(error.description.contains("must be \(expected)"), "\(error)")
        #expect(error.failure.status == .usage)
    }

    @Test(
        "the file says of what kind a value has to be",
        arguments: [
            ("serve-relay = true", "of type bool"), ("serve-relay = \"maybe\"", "\"maybe\""), ("traversal = 1", "of type integer"), ("stun = \"a\"", "of type string"),
            ("stun = [1]", "a list with a value of type integer"), ("methods = \"direct\"", "of type string"), ("methods = [\"teleport\"]", "[\"teleport\"]"),
            ("methods = [1]", "[\"?\"]"), ("port-mapping = \"yes\"", "of type string"),
        ])
    func wrongKind(text: String, found: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try self.file(text) }
        guard case .invalidValue(.file("/c.toml", 1), _, _, let actual) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(actual == found)
    }

    @Test("every setting has an explanation of one line and a variable of its own")
    func explained() {
        #expect(Setting.allCases.allSatisfy { !$0.explanation.isEmpty && !$0.explanation.contains("\n") })
        #expect(Set(Setting.allCases.map(\.environmentVariable)).count == Setting.allCases.count)
        #expect(Setting.relayDuty.environmentVariable == "DIG_NAT_SERVE_RELAY")
    }
}
