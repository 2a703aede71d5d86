import DIGCommandLine
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGStorage
import DIGTransfer
import Foundation
import NIOCore
import Testing

@testable import dig_nat

@Suite("Failures")
struct FailureDescriptionTests {
    @Test("each kind of error has its exit status and says what to do next")
    func statuses() throws {
        let errors: [(any Error, CommandStatus)] = [
            (NodeError(.notFound, "x"), .notFound), (NodeError(.notShared, "x"), .notFound), (NodeError(.unreachable, "x"), .unreachable),
            (NodeError(.ambiguousName, "x"), .notFound), (NodeError(.cannotListen, "x"), .failure),
            (TransferError(.corruptChunk, "x"), .verificationFailed), (TransferError(.contentMismatch, "x"), .verificationFailed),
            (TransferError(.bindingMismatch, "x"), .verificationFailed), (TransferError(.noHolders, "x"), .notFound),
            (TransferError(.notFound, "x"), .notFound), (TransferError(.refused, "x"), .refused), (TransferError(.stalled, "x"), .unreachable),
            (TransferError(.diskFull, "x"), .disk), (TransferError(.notWritable, "x"), .disk), (TransferError(.alreadyExists, "x"), .disk),
            (TransferError(.unsafePath, "x"), .disk), (TransferError(.storeFailure, "x"), .disk), (TransferError(.isFolder, "x"), .usage),
            (ContentError(.malformedLink, "x"), .usage), (ContentError(.wrongHashLength, "x"), .usage), (ContentError(.fileUnreadable, "x"), .disk),
            (ContentError(.proofMismatch, "x"), .verificationFailed), (ContentError(.fileTooLarge, "x"), .refused),
            (StorageError(.damaged, "x"), .disk), (ConnectionError(.allAttemptsFailed, "x"), .unreachable),
            (ConnectionError(.peerMismatch, "x"), .verificationFailed), (ConfigurationError.noHome(needed: .keyFile), .configuration),
        ]
        for (error, status) in errors {
            let failure = FailureDescription.failure(for: error)
            #expect(failure.status == status, "\(error)")
            #expect(failure.next != nil, "\(error)")
        }
        #expect(FailureDescription.failure(for: CancellationError()).status == .interrupted)
    }

    @Test("the options of the command take the place of the library's advice; a path is never cut")
    func advice() {
        let failure = FailureDescription.failure(for: TransferError(.alreadyExists, "/d/a: b exists already: choose another name or move it away"))
        #expect(failure.what == "/d/a: b exists already")
        #expect(failure.next?.contains("--existing") == true)
        #expect(FailureDescription.failure(for: TransferError(.unsafePath, "the name /x/a: b/c is too long")).what == "the name /x/a: b/c is too long")
    }

    @Test("each attempt is a line of its own")
    func attempts() {
        let failure = FailureDescription.failure(for: NodeError(.unreachable, "no holder could be reached; is it shared?\n  a: refused\n  b: timed out"))
        #expect(failure.details == ["a: refused", "b: timed out"])
        #expect(failure.next == "is it shared?")
    }

    @Test("who could not be reached is named once, and what was tried is in dig-nat why")
    func unreachable() throws {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
        let error = NodeError(.unreachable, "no holder could be reached; is it shared?\n  the DHT: nobody\n  \(peer): \(peer) could not be reached")
        let failure = FailureDescription.failure(for: error)
        #expect(failure.details == ["the DHT: nobody", "\(peer): could not be reached"])
        #expect(failure.next == "see what was tried with: dig-nat why \(peer)")

        // From elsewhere a link with private addresses alone cannot work.
        func next(_ address: String, policy: AddressPolicy = AddressPolicy()) throws -> String? {
            let link = try ShareLink(contentHash: ContentHash(digest: SHA256Digest(hashing: [])), kind: .file, peers: [try Multiaddr("\(address)/p2p/\(peer)")])
            return FailureDescription.failure(for: GetCommand.explained(error, reference: .link(link), peer: try PeerID(peer), policy: policy)).next
        }
        #expect(try next("/ip4/192.168.1.2/tcp/1")?.contains("--relay") == true)
        #expect(try next("/ip4/203.0.113.1/tcp/1")?.contains("--relay") == true)
        #expect(try next("/ip4/203.0.113.1/tcp/1", policy: AddressPolicy(treatsDocumentationAsPublic: true)) == failure.next)
        #expect(try next("/ip4/9.9.9.9/tcp/1") == failure.next)
    }

    @Test("why nothing can be listened on is said in words, with what helps")
    func listening() {
        func failure(_ cause: any Error) -> CommandFailure { FailureDescription.failure(for: NodeError(.cannotListen, "no address can be listened on; is the port taken?", cause: cause)) }
        for (code, what, next) in [(EADDRINUSE, "another program", "another port"), (EADDRNOTAVAIL, "no such address", "one of its own"), (EACCES, "does not let", "1024")] {
            let failure = failure(IOError(errnoCode: code, reason: "bind(descriptor:ptr:bytes:)"))
            #expect(failure.status == .failure && failure.what.contains(what) && failure.next?.contains(next) == true, "\(failure)")
            #expect(!failure.description.contains("descriptor"))
        }
        #expect(failure(ConnectionError(.noCommonProtocol, "no transport listens on /ip4/0.0.0.0/tcp/1/wss")).next?.contains("--tls-certificate") == true)
        #expect(failure(ConnectionError(.noCommonProtocol, "no transport listens on /ip4/0.0.0.0/udp/1/quic-v1")).next?.contains("/tcp/PORT") == true)
    }

    @Test("signals have the shell's exit codes")
    func signals() {
        #expect(FailureDescription.interruption(by: 2).status == .interrupted)
        #expect(FailureDescription.interruption(by: 15).status == .terminated)
    }
}
