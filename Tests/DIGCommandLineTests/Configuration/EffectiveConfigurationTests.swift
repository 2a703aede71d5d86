import DIGCommandLine
import Testing

@Suite("Configuration layers")
struct EffectiveConfigurationTests {
    let defaults: [Setting: SettingValue] = [
        .downloadDirectory: .path("."), .listen: .addresses(["/ip4/0.0.0.0/tcp/0"]), .uploadRate: .rate(nil), .downloadRate: .rate(nil),
        .localDiscovery: .flag(true), .maximumConnections: .count(200),
    ]

    private func resolve(
        flags: [Setting: String] = [:], environment: [String: String] = ["HOME": "/home/u"], file: String? = nil
    ) throws(ConfigurationError) -> EffectiveConfiguration {
        try EffectiveConfiguration(
            flags: flags, environment: environment, file: file.map { text throws(ConfigurationError) in try ConfigurationFile(text: text, path: "/c.toml") },
            defaults: self.defaults)
    }

    @Test("takes the flag over the environment over the file over the default")
    func layers() throws {
        let file = "upload-rate = 1\ndownload-rate = 2\nlocal-discovery = false\n"
        let configuration = try self.resolve(
            flags: [.uploadRate: "3k"], environment: ["HOME": "/home/u", "DIG_NAT_UPLOAD_RATE": "9", "DIG_NAT_DOWNLOAD_RATE": "8"], file: file)
        #expect(configuration[.uploadRate] == .init(value: .rate(3072), origin: .flag("--upload-rate")))
        #expect(configuration[.downloadRate] == .init(value: .rate(8), origin: .environment(variable: "DIG_NAT_DOWNLOAD_RATE")))
        #expect(configuration[.localDiscovery] == .init(value: .flag(false), origin: .file(path: "/c.toml", line: 3)))
        #expect(configuration[.maximumConnections] == .init(value: .count(200), origin: .standard))
        #expect(self.defaults.keys.allSatisfy { configuration[$0] != nil })
    }

    @Test("finds the standard places, and the key beside the data")
    func places() throws {
        #expect(try self.resolve().path(.dataDirectory) == "/home/u/.local/state/dig-nat")
        #expect(try self.resolve(environment: ["HOME": "/h", "XDG_STATE_HOME": "/s"]).path(.keyFile) == "/s/dig-nat/identity.key")
        #expect(try self.resolve(environment: ["HOME": "/h", "XDG_STATE_HOME": "relative"]).path(.dataDirectory) == "/h/.local/state/dig-nat")
        #expect(try self.resolve(flags: [.dataDirectory: "d"]).path(.keyFile) == "d/identity.key")
        #expect(try self.resolve(file: "download-dir = \"~/Downloads\"").path(.downloadDirectory) == "/home/u/Downloads")
        #expect(StandardPaths(environment: ["XDG_CONFIG_HOME": "/x"]).configurationFile == "/x/dig-nat/config.toml")
        #expect(throws: ConfigurationError.noHome(needed: .dataDirectory)) { try self.resolve(environment: [:]) }
        #expect(throws: ConfigurationError.noHome(needed: .keyFile)) {
            try self.resolve(flags: [.dataDirectory: "/d", .keyFile: "~/k"], environment: [:])
        }
    }

    @Test("an empty variable is as if it were not there, but an empty listen list is a choice")
    func empty() throws {
        let configuration = try self.resolve(environment: ["HOME": "/h", "DIG_NAT_UPLOAD_RATE": "", "DIG_NAT_LISTEN": ""])
        #expect(configuration[.uploadRate]?.origin == .standard)
        #expect(configuration.addresses(.listen) == [])
    }

    @Test("an invalid value names its origin; on the command line it is a usage error")
    func invalid() throws {
        let flag = try #require(throws: ConfigurationError.self) { try self.resolve(flags: [.maximumConnections: "many"]) }
        #expect(flag.description == "--max-connections: must be a number from 1 to 10000, not \"many\"")
        #expect(flag.failure.status == .usage)
        let variable = try #require(throws: ConfigurationError.self) { try self.resolve(environment: ["HOME": "/h", "DIG_NAT_LOCAL_DISCOVERY": "maybe"]) }
        #expect(variable.description == "environment DIG_NAT_LOCAL_DISCOVERY: local-discovery must be true or false, not \"maybe\"")
        #expect(variable.failure.status == .configuration)
    }

    @Test("warns of a variable that names no setting")
    func warning() throws {
        let configuration = try self.resolve(environment: ["HOME": "/h", "DIG_NAT_UPLOADRATE": "1", "DIG_NAT_CONFIG": "/x", "OTHER": "1"])
        #expect(configuration.warnings == ["the environment variable DIG_NAT_UPLOADRATE means nothing to dig-nat; did you mean DIG_NAT_UPLOAD_RATE?"])
    }

    @Test("prints each value with its origin")
    func table() throws {
        let configuration = try self.resolve(flags: [.uploadRate: "1M"], file: "max-connections = 9")
        #expect(
            configuration.lines == [
                "data-dir         /home/u/.local/state/dig-nat               (default)",
                "key-file         /home/u/.local/state/dig-nat/identity.key  (default)",
                "download-dir     .                                          (default)",
                "listen           /ip4/0.0.0.0/tcp/0                         (default)",
                "upload-rate      1.00 MiB/s                                 (--upload-rate)",
                "download-rate    unlimited                                  (default)",
                "local-discovery  true                                       (default)",
                "max-connections  9                                          (/c.toml:1)",
            ])
        #expect(configuration.events[4].text == #"{"event":"setting","key":"upload-rate","value":1048576,"origin":"flag","flag":"--upload-rate"}"#)
        #expect(configuration.events[5].text == #"{"event":"setting","key":"download-rate","value":null,"origin":"default"}"#)
        #expect(configuration.events[7].text == #"{"event":"setting","key":"max-connections","value":9,"origin":"file","file":"/c.toml","line":1}"#)
    }
}
