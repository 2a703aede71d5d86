/// Something a host serves.
public enum HostedContent: Sendable {
    case file(HostedFile)
    case folder(HostedFolder)
}
