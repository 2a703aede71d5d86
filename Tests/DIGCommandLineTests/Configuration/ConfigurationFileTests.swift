import DIGCommandLine
import Testing

@Suite("Configuration file")
struct ConfigurationFileTests {
    private func parse(_ text: String) throws(ConfigurationError) -> ConfigurationFile {
        try ConfigurationFile(text: text, path: "/c.toml")
    }

    @Test("gives every setting its value and line")
    func all() throws {
        let file = try self.parse(
            """
            # comment
            data-dir = "/var/lib/dig-nat"
            key-file = '~/key'
            download-dir = "."

            listen = [
              "/ip4/0.0.0.0/tcp/4001",
              "/ip6/::/tcp/4001",
            ]
            upload-rate = "2 MiB/s"
            download-rate = 1_000_000
              "local-discovery" = false
            max-connections = 0x40
            """)
        #expect(
            file.entries == [
                .dataDirectory: .init(value: .path("/var/lib/dig-nat"), line: 2),
                .keyFile: .init(value: .path("~/key"), line: 3),
                .downloadDirectory: .init(value: .path("."), line: 4),
                .listen: .init(value: .addresses(["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"]), line: 6),
                .uploadRate: .init(value: .rate(2 << 20), line: 10),
                .downloadRate: .init(value: .rate(1_000_000), line: 11),
                .localDiscovery: .init(value: .flag(false), line: 12),
                .maximumConnections: .init(value: .count(64), line: 13),
            ])
        #expect(try self.parse("").entries.isEmpty)
        #expect(try self.parse("upload-rate = \"unlimited\"").entries[.uploadRate]?.value == .rate(nil))
        #expect(try self.parse("relay-rate = \"4 MiB/s\"").entries[.relayRate]?.value == .rate(4 << 20))
        #expect(try self.parse("relay-daily = \"20 GiB\"").entries[.relayDaily]?.value == .bytes(20 << 30))
        #expect(try self.parse("relay-daily = 5").entries[.relayDaily]?.value == .bytes(5))
        #expect(try self.parse("relay-daily = \"unlimited\"").entries[.relayDaily]?.value == .bytes(nil))
    }

    @Test("names the line of an unknown key and the setting that was meant")
    func unknown() {
        #expect(throws: ConfigurationError.unknownKey(path: "/c.toml", line: 3, key: "upload_rate", suggestion: "upload-rate")) {
            try self.parse("local-discovery = true\n\nupload_rate = 5\nzzz = 1\n")
        }
        #expect(throws: ConfigurationError.unknownKey(path: "/c.toml", line: 2, key: "colour", suggestion: nil)) {
            try self.parse("\n [colour]\nred = 1\n")
        }
        #expect(throws: ConfigurationError.unknownKey(path: "/c.toml", line: 1, key: "a", suggestion: nil)) { try self.parse("a.b = 1") }
    }

    @Test("says where the TOML is broken")
    func malformed() throws {
        let error = try #require(throws: ConfigurationError.self) { try self.parse("local-discovery = true\nlisten = [\"a\"\nupload-rate = 3\n") }
        guard case .malformed("/c.toml", let line, _, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect((2...3).contains(line))
        #expect(error.description.hasPrefix("/c.toml:"))
        #expect(error.failure.status == .configuration)
        #expect(throws: ConfigurationError.self) { try self.parse("listen = []\nlisten = []\n") }
    }

    @Test(
        "refuses a value of the wrong kind or out of range",
        arguments: [
            ("data-dir = 5", "of type integer"), ("data-dir = \"here\"", "\"here\""), ("key-file = \".\"", "\".\""),
            ("listen = \"/ip4/1.2.3.4/tcp/1\"", "of type string"), ("listen = [1]", "a list with a value of type integer"),
            ("upload-rate = 0", "0"), ("upload-rate = -5", "-5"), ("upload-rate = \"fast\"", "\"fast\""), ("upload-rate = \"0\"", "\"0\""),
            ("download-rate = true", "of type bool"), ("local-discovery = \"true\"", "of type string"), ("local-discovery = 1", "of type integer"),
            ("relay-daily = 0", "0"), ("relay-daily = \"1 MiB/s\"", "\"1 MiB/s\""), ("relay-daily = true", "of type bool"),
            ("max-connections = 0", "0"), ("max-connections = 10001", "10001"), ("max-connections = \"9\"", "of type string"),
        ])
    func invalid(text: String, found: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try self.parse(text) }
        guard case .invalidValue(.file("/c.toml", 1), _, _, let actual) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(actual == found)
    }
}
