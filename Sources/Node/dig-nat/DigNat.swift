import ArgumentParser
import DIGCommandLine

@main
struct DigNat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dig-nat",
        abstract: "Shares a file from one machine and gets it on another: verified, resumable, encrypted, from many holders at once.",
        discussion: """
            Share a file and give the link to whoever shall have it:
              dig-nat share holiday.mp4
              dig-nat get 'dig:bciq…'

            Or the hash, or a name: the holder is found in the DHT, by peers, by GUN or on the local network:
              dig-nat get bciq…

            Settings come from flags, environment variables (DIG_NAT_…), \
            $XDG_CONFIG_HOME/dig-nat/config.toml, and defaults, in this order; "dig-nat config" shows each with its origin. \
            Results go to standard output, everything else to standard error.

            EXIT CODES
            \(CommandStatus.table)
            """,
        version: "0.1.0",
        subcommands: [
            ShareCommand.self, GetCommand.self, FindCommand.self, StatusCommand.self, ReportCommand.self, ListCommand.self, RemoveCommand.self, HashCommand.self, VerifyCommand.self,
            TrustCommand.self, GrantCommand.self, AccessCommand.self,
            NodeCommand.self, BootstrapCommand.self, PeersCommand.self, DHTCommand.self, DoctorCommand.self, WhyCommand.self, RecordsCommand.self, IdentityCommand.self, ConfigurationCommand.self,
        ])

    static func main() async {
        Allocator.tune()
        OpenFiles.raiseLimit()
        await self.main(nil)
    }
}
