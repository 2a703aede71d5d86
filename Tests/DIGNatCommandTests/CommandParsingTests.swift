import ArgumentParser
import DIGCommandLine
import DIGTransfer
import Testing

@testable import dig_nat

@Suite("Commands")
struct CommandParsingTests {
    private func parse<Command: ParsableCommand>(_ arguments: String..., as type: Command.Type) throws -> Command {
        try #require(try DigNat.parseAsRoot(arguments) as? Command)
    }

    @Test("share understands its options, and --rate is --upload-rate")
    func share() throws {
        let command = try self.parse(
            "share", "a", "b", "--once", "--qr", "--rate", "2MiB", "--listen", "/ip4/1.2.3.4/tcp/1", "--listen", "/ip6/::/tcp/2", "--data-dir", "/d",
            "--no-local-discovery", "--json", "-vv", as: ShareCommand.self)
        #expect(command.paths == ["a", "b"])
        #expect(command.once && command.qr && command.global.json && !command.global.quiet)
        #expect(command.global.verbose == 2)
        #expect(
            command.settings == [
                .uploadRate: "2MiB", .listen: "/ip4/1.2.3.4/tcp/1,/ip6/::/tcp/2", .dataDirectory: "/d", .localDiscovery: "false",
            ])
        #expect(!command.writesFileToStandardOutput)
    }

    @Test("get takes one reference, and -o - means standard output")
    func get() throws {
        let command = try self.parse("get", "dig:x", "-o", "-", "--rate", "1M", "--existing", "keep-both", "--listen", "", as: GetCommand.self)
        #expect(command.writesFileToStandardOutput)
        #expect(command.existing.policy == .keepBoth)
        #expect(command.settings == [.downloadRate: "1M", .listen: ""])
        #expect(try self.parse("get", "x", as: GetCommand.self).settings.isEmpty)
    }

    @Test("ls and rm have long names")
    func aliases() throws {
        _ = try self.parse("list", as: ListCommand.self)
        #expect(try self.parse("remove", "a", "b", as: RemoveCommand.self).references == ["a", "b"])
    }

    @Test(
        "what can't be meant is a usage error, exit code 64",
        arguments: [
            ["get"], ["get", "a", "b"], ["get", "x", "--timeout", "0"], ["get", "x", "--sha256", "12"], ["get", "x", "-o", ""],
            ["get", "x", "--existing", "overwrite"], ["share", "a", "b", "--name", "n"], ["share", "--once"], ["rm"], ["rm", "x", "--all"],
            ["get", ""], ["share", "a", "--no-announce", "--announce-level", "low"], ["share", ""], ["share", "a", ""], ["node", "--share", ""], ["verify", "x"], ["hash"], ["frobnicate"], ["share", "--frobnicate"],
        ])
    func usage(arguments: [String]) throws {
        let error = try #require(throws: (any Error).self) { try DigNat.parseAsRoot(arguments) }
        #expect(DigNat.exitCode(for: error).rawValue == CommandStatus.usage.rawValue)
    }

    @Test("the help of every command has an abstract, examples, and lines that fit", arguments: DigNat.configuration.subcommands.map { $0._commandName })
    func help(command: String) throws {
        let type = try #require(DigNat.configuration.subcommands.first { $0._commandName == command })
        let text = DigNat.helpMessage(for: type, columns: 80)
        #expect(text.hasPrefix("OVERVIEW: "))
        #expect(text.contains("EXAMPLES\n  "))
        #expect(text.contains("  dig-nat \(command)") || text.contains(" dig-nat \(command)"))
        // The parser writes the usage on one line.
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE: ") })
    }

    @Test("the main help has the table of exit codes")
    func mainHelp() {
        #expect(DigNat.helpMessage(columns: 100).contains(CommandStatus.table))
    }
}
