import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGKademlia
import DIGNatTools
import DIGNet
import DIGStorage
import DIGTransfer
import DIGTraversal

/// Turns errors into what a person reads and a script tests.
enum FailureDescription {
    static func failure(for error: any Error) -> CommandFailure {
        switch error {
        case let failure as CommandFailure: failure
        case let error as ConfigurationError: error.failure
        case let error as NodeError: self.failure(error)
        case let error as TransferError: self.failure(error)
        case let error as ContentError: self.failure(error)
        case let error as StorageError: self.failure(error)
        case let error as KeyFileError: CommandFailure(.disk, message: "\(error)", advice: "choose another key with --key-file")
        case let error as IdentityError: CommandFailure(.disk, message: "\(error)", advice: "choose another key with --key-file")
        case let error as KademliaError: CommandFailure(.unreachable, message: "\(error)", advice: "name a first contact with --bootstrap")
        case let error as DiscoveryError: CommandFailure(.failure, message: "\(error)", advice: "run it again with -v for more")
        case let error as TraversalError: CommandFailure(.unreachable, message: "\(error)", advice: "see what was tried with: dig-nat why")
        case let error as ConnectionError:
            CommandFailure(error.code == .peerMismatch ? .verificationFailed : .unreachable, message: "\(error)", advice: "check that the other side still runs")
        case is CancellationError: CommandFailure(.interrupted, "interrupted", next: nil)
        default: CommandFailure(.failure, message: "\(error)", advice: "run it again with -v for more")
        }
    }

    static func interruption(by signal: Int32) -> CommandFailure {
        let status = CommandStatus(rawValue: 128 + signal) ?? .interrupted
        return CommandFailure(status, "interrupted", next: "run the same command again: it goes on where it was")
    }

    private static func failure(_ error: NodeError) -> CommandFailure {
        let (status, advice): (CommandStatus, String?) =
            switch error.code {
            case .notFound: (.notFound, "ask whoever shared it for the whole link, or name a first contact with --bootstrap")
            case .notShared: (.notFound, "see what is shared with: dig-nat ls")
            case .ambiguousName: (.notFound, nil)
            case .unreachable: (.unreachable, "check that it is still being shared")
            case .cannotListen: (.failure, "choose another address with --listen")
            case .directoryUnusable: (.disk, "choose another directory with --data-dir")
            default: (.failure, nil)
            }
        if error.code == .cannotListen, let failure = ListenFailure.failure(error) { return failure }
        var failure = CommandFailure(status, message: error.description, advice: advice)
        failure.details = failure.details.map(self.withoutRepetition)
        // Whom it was about, each on a line of its own.
        if error.code == .unreachable, let peer = failure.details.lazy.compactMap(self.peer).first {
            failure.next = "see what was tried with: dig-nat why \(peer)"
        }
        // Both ways to choose, in the words of the command.
        if error.code == .ambiguousName { failure.next = "get the one you trust: dig-nat get HASH, or dig-nat get NAME@PEER with the peer that signed it" }
        return failure
    }

    /// `PEER: PEER could not be reached` names it once too often.
    private static func withoutRepetition(_ detail: String) -> String {
        guard let peer = self.peer(detail) else { return detail }
        let rest = detail.dropFirst(peer.count + 2)
        return rest.hasPrefix(peer + " ") ? "\(peer): \(rest.dropFirst(peer.count + 1))" : detail
    }

    /// The peer that a line such as `PEER: what happened` is about.
    private static func peer(_ detail: String) -> String? {
        guard let colon = detail.firstRange(of: ": ") else { return nil }
        let text = String(detail[..<colon.lowerBound])
        // Other lines begin with an address or the name of a way of discovery.
        guard text.count >= 46, (try? PeerID(text)) != nil else { return nil }
        return text
    }

    private static func failure(_ error: TransferError) -> CommandFailure {
        let (status, advice): (CommandStatus, String?) =
            switch error.code {
            // Somebody has it and may not give it: asking the owner helps, waiting does not.
            case .noHolders where error.peers.contains { self.isRefusedAccess($0.error) }: (.refused, "ask its owner for a grant, or to be trusted")
            // Nobody is left, and all for the same reason: that is the reason.
            case .noHolders where !error.peers.isEmpty: (self.status(of: error.peers) ?? .notFound, "try again when somebody else shares it; what was verified is kept")
            case .contentMismatch, .corruptChunk, .corruptHashes, .bindingMismatch, .malformedListing:
                (.verificationFailed, "get it from somebody else; what was verified is kept")
            case .noHolders, .notFound: (.notFound, "check that it is still being shared; what was verified is kept")
            case .refused: (.refused, "ask whoever shares it")
            case .authenticationRequired, .notAuthorized: (.refused, "ask its owner for a grant, or to be trusted")
            case .stalled, .disconnected: (.unreachable, "run the same command again: it goes on where it was")
            case .diskFull: (.disk, "free some space and run the same command again: it goes on where it was")
            case .notWritable: (.disk, "choose another place with -o, or change its permissions")
            case .alreadyExists: (.disk, "choose another name with -o, or say --existing keep-both or --existing replace")
            case .unsafePath where error.cause is ContentError: (.verificationFailed, "whoever made the folder is to blame: get another")
            case .unsafePath: (.disk, "choose another place with -o")
            case .inUse: (.disk, "wait for the other command, or choose another name with -o")
            case .diskFailure, .storeFailure: (.disk, "check the disk and run the same command again")
            case .isFolder: (.usage, "get it into a directory with -o DIRECTORY")
            // With a cause: larger than the file system or the process's limit allows.
            case .tooLarge: (error.cause == nil ? .refused : .disk, nil)
            case .protocolViolation, .unsupportedLayer: (.failure, "get it from somebody else, or bring both sides to the same version")
            default: (.failure, nil)
            }
        // These say "what happened: what to do" in the words of a library; the options of a command are better advice.
        var error = error
        if [.diskFull, .notWritable, .alreadyExists, .unsafePath, .inUse].contains(error.code) {
            error.message = self.withoutAdvice(error.message)
        }
        return CommandFailure(status, message: error.description, advice: advice)
    }

    /// Whether a holder did not let this node in, rather than lack the content or fail.
    static func isRefusedAccess(_ error: any Error) -> Bool {
        guard let error = error as? TransferError else { return false }
        return [.authenticationRequired, .notAuthorized].contains(error.code) || error.peers.contains { self.isRefusedAccess($0.error) }
    }

    /// What the failures of all peers come to; nil if they differ.
    private static func status(of failures: [PeerFailure]) -> CommandStatus? {
        let statuses = Set(failures.map { self.failure($0.error).status })
        return statuses.count == 1 ? statuses.first : nil
    }

    /// The message up to its last colon, unless that is part of a path.
    private static func withoutAdvice(_ message: String) -> String {
        guard let colon = message.ranges(of: ": ").last, !message[colon.upperBound...].contains("/") else { return message }
        return String(message[..<colon.lowerBound])
    }

    private static func failure(_ error: ContentError) -> CommandFailure {
        let (status, advice): (CommandStatus, String?) =
            switch error.code {
            case .malformedLink, .invalidParameter, .malformedHash, .wrongHashLength, .unsupportedHash:
                (.usage, "copy the link again, as a whole and in quotes")
            case .unsafePath: (.usage, "rename it")
            case .fileUnreadable: (.disk, "check the path and its permissions")
            case .notARegularFile: (.disk, "only files and folders can be shared")
            case .fileChanged: (.disk, "wait until nothing writes to it")
            case .proofMismatch, .geometryMismatch, .invalidDescriptor, .malformedListing: (.verificationFailed, "get it from somebody else")
            case .fileTooLarge, .listingTooLarge: (.refused, "share it in parts")
            default: (.failure, nil)
            }
        return CommandFailure(status, message: error.description, advice: advice)
    }

    private static func failure(_ error: StorageError) -> CommandFailure {
        CommandFailure(error.code == .failed ? .failure : .disk, message: error.description, advice: "choose another data directory with --data-dir")
    }
}
